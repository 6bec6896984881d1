import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Flow } from "../../extension/lib/flow.js";
import { check } from "../../extension/lib/flow_api.js";
import { FlowTabs, PAGE_LIMIT_MS } from "../../extension/lib/flow_tab.js";
import { LabsSessions } from "../../extension/lib/labs_session.js";
import { call, gate } from "./world.mjs";

const BEARER = "the-page-s-own-bearer-1";
const NEWER = "a-newer-bearer-of-this-page";
const PAGE = { path: "/fx/tools/flow/project/p", title: "t", ready: "complete", values: false, captcha: true, challenge: false };

/** Tabs of a browser: `answers` is what the page in each says when it is looked at, or a promise that never settles. */
let open = [];
let sessionsAsked = 0;
/** Looks begun (each asks for three permissions at once) and pages asked. */
let permissionsAsked = 0;
let pagesAsked = 0;
/** Documents that were told to load anew, in order, and what the tab does then. */
let reloaded = [];
let arrives;
/** What functions that call Flow bring back. */
let flowSays = {};
const looksBegun = () => permissionsAsked / 3;

function tab(id, more = {}) {
  const made = { id, url: "https://labs.google/fx", title: `tab ${id}`, status: "complete", active: false, document: `d${id}`,
    page: { ...PAGE, origin: "https://labs.google" }, session: { bearer: BEARER, email: "somebody@example.com", name: "S" }, ...more };
  open.push(made);
  return made;
}

const classic = (account) => ({ ...PAGE, origin: "https://flow.google.com", path: "/project/p", values: true, signedIn: true, account });
const stuck = () => new Promise(() => {});
async function until(true_) {
  while (!true_()) await new Promise((resolve) => setImmediate(resolve));
}

beforeEach((t) => {
  open = [];
  sessionsAsked = permissionsAsked = pagesAsked = 0;
  reloaded = [];
  arrives = (shown) => Object.assign(shown, { document: `${shown.document}+` });
  globalThis.chrome = {
    permissions: { contains: async () => ++permissionsAsked > 0 },
    tabs: { query: async () => open.map((one) => ({ ...one })), update: async () => {}, get: async (id) => ({ ...open.find((one) => one.id === id) }) },
    scripting: {
      async executeScript({ target, func }) {
        const shown = open.find(({ id }) => id === target.tabId);
        if (target.documentIds && target.documentIds[0] !== shown.document) throw new Error("No document with that id");
        if (func.name === "reloadPage") {
          reloaded.push(shown.document);
          arrives(shown);
          return [{ documentId: target.documentIds[0], result: null }];
        }
        if (func.name === "callBatchexecute" || func.name === "recallAnswer") {
          return [{ documentId: shown.document, result: await flowSays[func.name]() }];
        }
        const looks = func.name === "lookAtPage";
        if (looks) pagesAsked++;
        else sessionsAsked++;
        return [{ documentId: shown.document, result: await (looks ? shown.page : shown.session) }];
      },
    },
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => delete globalThis.chrome);

/** @param {any} t @param {FlowTabs} tabs @param {boolean} [late] Whether a page will not answer in time. */
async function look(t, tabs, late = false) {
  const before = pagesAsked;
  const looked = tabs.look();
  if (late) {
    await until(() => pagesAsked === before + open.length);
    t.mock.timers.tick(PAGE_LIMIT_MS);
  }
  await looked;
}

test("a page that is late to answer is still the same page: its bearer, its place and its count stay", async (t) => {
  const sessions = new LabsSessions();
  const tabs = new FlowTabs(sessions, () => {});
  const shown = tab(1);
  await look(t, tabs);
  sessions.notice({ initiator: "https://labs.google", tabId: 1, documentId: "d1", requestHeaders: [{ name: "authorization", value: `Bearer ${NEWER}` }] });
  const { page } = shown;
  for (let turn = 0; turn < 2; turn++) {
    shown.page = stuck();
    await look(t, tabs, true);
    assert.equal(tabs.words.state, "frozen");
  }
  shown.page = page;
  await look(t, tabs);
  assert.equal(tabs.words.state, "ready");
  assert.equal(tabs.wire.page_loads, 1);
  assert.equal(await sessions.bearer(tabs.pages()[0], 10), NEWER);
  assert.equal(sessionsAsked, 1);
});

test("a page of a former account does not become the newest by having been late to answer", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const former = tab(1, { page: classic("former@example.com") });
  tab(2, { page: classic("present@example.com") });
  await look(t, tabs);
  const { page } = former;
  former.page = stuck();
  await look(t, tabs, true);
  former.page = page;
  await look(t, tabs);
  assert.equal(tabs.chosen, 2);
  assert.match(tabs.wire.account, /^p…@example/);
});

test("a page that was late and then shows another document is a new one", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1);
  await look(t, tabs);
  const { page } = shown;
  shown.page = stuck();
  await look(t, tabs, true);
  Object.assign(shown, { page, document: "e1" });
  await look(t, tabs);
  assert.equal(tabs.wire.page_loads, 2);
  assert.equal(sessionsAsked, 2);
});

test("a page that did not answer is looked at again by itself, ever more rarely, and then left to the alarm", async (t) => {
  let ended = 0;
  const tabs = new FlowTabs(new LabsSessions(), () => ended++);
  tab(1, { page: stuck() });
  await look(t, tabs, true);
  for (const [number, wait] of [1_000, 2_000, 4_000, 8_000, 16_000].entries()) {
    t.mock.timers.tick(wait - 1);
    assert.equal(looksBegun(), number + 1);
    t.mock.timers.tick(1);
    assert.equal(looksBegun(), number + 2);
    await until(() => pagesAsked === number + 2);
    t.mock.timers.tick(PAGE_LIMIT_MS);
    await until(() => ended === number + 2);
  }
  t.mock.timers.tick(600_000);
  assert.equal(looksBegun(), 6);
});

test("a page that answers at a later look is used from then on, and looked at no more", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1);
  const { page } = shown;
  shown.page = stuck();
  await look(t, tabs, true);
  shown.page = page;
  t.mock.timers.tick(1_000);
  await until(() => tabs.words.state === "ready");
  t.mock.timers.tick(600_000);
  assert.equal(looksBegun(), 2);
});

test("a page that takes longer than the first look allows is given longer", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1);
  const { page } = shown;
  shown.page = stuck();
  await look(t, tabs, true);
  const slow = gate();
  shown.page = slow.passed;
  const looked = tabs.look();
  await until(() => pagesAsked === 2);
  t.mock.timers.tick(3_000);
  slow.open(page);
  await looked;
  assert.equal(tabs.words.state, "ready");
});

test("who is signed in is asked again where the page could not say, and it is not called signed out", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1, { session: { fault: "NETWORK" } });
  await look(t, tabs);
  assert.equal(tabs.words.state, "silent");
  shown.session = { bearer: BEARER, email: "somebody@example.com", name: "S" };
  t.mock.timers.tick(1_000);
  await until(() => tabs.words.state === "ready");
});

test("a page that says itself that it is loading is not called silent, whatever Chrome said of its tab before", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1, { page: { ...PAGE, origin: "https://labs.google", ready: "loading" } });
  await look(t, tabs);
  assert.equal(tabs.words.state, "loading");
  shown.page = { ...shown.page, ready: "complete" };
  t.mock.timers.tick(1_000);
  await until(() => tabs.words.state === "ready");
});

test("all who ask for a look while one is under way share the one after it", async (t) => {
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1);
  const slow = gate();
  const { page } = shown;
  shown.page = slow.passed.then(() => page);
  const looks = [tabs.look(), tabs.look(), tabs.look(), tabs.look()];
  await until(() => pagesAsked === 1);
  slow.open();
  await Promise.all(looks);
  assert.equal(looksBegun(), 2);
  assert.equal(tabs.words.state, "ready");
});

// ---- pages of yesterday ------------------------------------------------------------------------

/** @param {any} t @param {Promise<unknown>} done Time passes until then. */
async function pass(t, done) {
  let ended = false;
  void done.finally(() => (ended = true));
  while (!ended) {
    t.mock.timers.tick(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return done;
}

/** Its label needs no digest, which would take time that does not pass here. */
const simulated = (account) => ({ ...classic(account), simulated: true });

/** A tab in use, of which Flow answers as if it were of yesterday. */
async function doubted(t) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
  const tabs = new FlowTabs(new LabsSessions(), () => {});
  const shown = tab(1, { page: simulated("former") });
  await look(t, tabs);
  const [page] = tabs.pages();
  return { tabs, shown, doubt: () => pass(t, tabs.doubt(page)) };
}

test("a page of yesterday is loaded anew, and over only when the new one is there", async (t) => {
  const { tabs, shown, doubt } = await doubted(t);
  arrives = () => setTimeout(() => Object.assign(shown, { document: "e1", page: simulated("present") }), 3_000);
  await doubt();
  assert.deepEqual(reloaded, ["d1"]);
  assert.equal(tabs.wire.account, "simulated:present", "until then the old one has answered");
  assert.equal(tabs.words.state, "ready");
});

test("a tab in which the person is loading another page is left to them, and that page is waited for", async (t) => {
  const { tabs, shown, doubt } = await doubted(t);
  shown.status = "loading";
  setTimeout(() => Object.assign(shown, { document: "e1", status: "complete" }), 3_000);
  await doubt();
  assert.deepEqual(reloaded, []);
  assert.deepEqual(tabs.pages().map(({ seen }) => seen.documentId), ["e1"]);
  assert.equal(tabs.words.state, "ready");
});

test("a page that the person has come to meanwhile is not taken for the doubted one", async (t) => {
  const { tabs, shown, doubt } = await doubted(t);
  shown.document = "e1";
  await doubt();
  assert.deepEqual(reloaded, []);
  assert.equal(tabs.words.state, "ready");
});

/** What a page answers whose sign-in is over. */
const SIGNED_OUT = { status: 401, type: "application/json", retryAfter: "", body: "" };

/** A tab in use, and calls that Flow refuses as if it were of yesterday; `answers` has a gate for each. */
async function refusing(t) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
  const flow = new Flow(() => {}, () => true);
  tab(1, { page: simulated("former") });
  await look(t, flow.tabs);
  const answers = [];
  flowSays = {
    callBatchexecute() {
      const answer = gate();
      answers.push(answer);
      return answer.passed.then((told) => told ?? SIGNED_OUT);
    },
  };
  const perform = (id) => {
    const one = call(id);
    return flow.perform(one, check(one), async () => {});
  };
  /** @param {{open: () => void}} answer Both attempts of a call are refused. */
  const refuse = async (answer) => {
    const before = answers.length;
    answer.open();
    await until(() => answers.length > before);
    answers.at(-1).open();
  };
  return { flow, perform, answers, refuse };
}

test("of calls that are refused at once one loads the page anew, when none is under way in it any more", async (t) => {
  const { flow, perform, answers, refuse } = await refusing(t);
  const calls = Promise.all([perform("a"), perform("b")]);
  await until(() => answers.length === 2);
  await Promise.all([refuse(answers[0]), refuse(answers[1])]);
  await until(() => answers.length === 4);
  for (const answer of answers) answer.open();
  await pass(t, calls);
  assert.deepEqual(reloaded, ["d1"]);
  assert.equal(flow.tabs.words.state, "ready");
});

test("a page in which another call is still under way is loaded anew when that one is over", async (t) => {
  const { perform, answers, refuse } = await refusing(t);
  const [refused, other] = [perform("a"), perform("b")];
  await until(() => answers.length === 2);
  await refuse(answers[0]);
  await pass(t, refused);
  assert.deepEqual(reloaded, []);
  answers[1].open({ ...SIGNED_OUT, status: 200 });
  await other;
  await until(() => reloaded.length > 0);
  assert.deepEqual(reloaded, ["d1"]);
});

test("no new call begins in a page that is about to be loaded anew", async (t) => {
  const { perform, answers, refuse } = await refusing(t);
  arrives = () => {};
  const first = perform("a");
  await until(() => answers.length === 1);
  await refuse(answers[0]);
  await until(() => reloaded.length === 1);
  await assert.rejects(perform("b"), { code: "NO_FLOW_TAB", message: /out of date/ });
  await pass(t, first);
});

test("a call of an earlier worker that is under way in a page of yesterday is not cut short", async (t) => {
  const { flow, perform, answers, refuse } = await refusing(t);
  const earlier = gate();
  flowSays.recallAnswer = () => earlier.passed;
  const recalled = flow.recall("x");
  const call = perform("a");
  await until(() => answers.length === 1);
  await refuse(answers[0]);
  await pass(t, call);
  assert.deepEqual(reloaded, []);
  earlier.open({ status: 200 });
  assert.deepEqual(await recalled, { status: 200 });
});

test("a page of yesterday is not loaded anew twice within a minute", async (t) => {
  const { doubt } = await doubted(t);
  arrives = () => {}; // a page that is not let go of
  await doubt();
  await doubt();
  assert.deepEqual(reloaded, ["d1"]);
  t.mock.timers.tick(60_000);
  await doubt();
  assert.deepEqual(reloaded, ["d1", "d1"]);
});
