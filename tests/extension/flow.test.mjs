import assert from "node:assert/strict";
import { test } from "node:test";

import { Captcha } from "../../extension/lib/captcha.js";
import { choose, situation, superseded, wireState } from "../../extension/lib/flow_words.js";
import { BEARER_LIFE_MS, LabsSessions } from "../../extension/lib/labs_session.js";
import { Redirects } from "../../extension/lib/redirects.js";
import { accountLabel, readSeen } from "../../extension/lib/seen.js";
import { gate } from "./world.mjs";

const ALL = { flow: true, labs: true, api: true };
const PAGE = {
  origin: "https://flow.google.com", path: "/project/p", title: "t", ready: "complete", values: true, signedIn: true,
  account: "somebody@example.com", simulated: false, captcha: true, challenge: false,
};
const NOBODY = { account: null };

async function tab(id, change = {}) {
  return { id, title: `tab ${id}`, active: false, standing: "seen", seen: await readSeen({ ...PAGE, ...change }, `d${id}`) };
}

test("of several tabs the signed-in project page is chosen, not the first", async () => {
  const tabs = [
    { id: 1, title: "", active: true, standing: "frozen" },
    await tab(2, { signedIn: false }),
    await tab(3, { path: "/", captcha: false }),
    await tab(4),
    { id: 5, title: "", active: false, standing: "discarded" },
  ];
  assert.equal(choose(tabs, { account: null }).id, 4);
});

test("of two accounts that of last time is chosen, and else the tab in use stays in use", async () => {
  const tabs = [await tab(1), await tab(2, { account: "other@example.com" }), await tab(3)];
  assert.equal(choose(tabs, { account: tabs[1].seen.account }).id, 2);
  assert.equal(choose(tabs, { account: null, chosen: 3 }).id, 3);
});

test("a page of an account that another has replaced is out of date, and is not chosen", async () => {
  const old = await tab(1);
  const fresh = await tab(2, { account: "other@example.com", path: "/", captcha: false });
  const second = await tab(3, { account: "third@example.com", path: "/u/1/project/p" });
  assert.deepEqual(superseded([old.seen, second.seen, fresh.seen]), ["d1"]);
  assert.deepEqual(superseded([fresh.seen, old.seen]), ["d2"]);
  assert.equal(choose([{ ...old, outdated: true }, fresh], { account: old.seen.account, chosen: 1 }).id, 2);
});

test("each situation has a state of its own, and each that is wrong has a next step", async () => {
  const good = await tab(1);
  const bare = (standing) => ({ id: 1, title: "", active: true, standing });
  const labs = await tab(1, { origin: "https://labs.google", path: "/fx/tools/flow" });
  const cases = {
    none: situation(undefined, ALL, NOBODY),
    no_permission: situation(undefined, { ...ALL, flow: false }, NOBODY),
    loading: situation(bare("loading"), ALL, NOBODY),
    silent: situation(bare("silent"), ALL, NOBODY),
    frozen: situation(bare("frozen"), ALL, NOBODY),
    discarded: situation(bare("discarded"), ALL, NOBODY),
    signed_out: situation(await tab(1, { signedIn: false }), ALL, NOBODY),
    not_served: situation(await tab(1, { values: false }), ALL, NOBODY),
    outdated: situation({ ...good, outdated: true }, ALL, NOBODY),
    no_api_permission: situation(labs, { ...ALL, api: false }, NOBODY),
    person_needed: situation(await tab(1, { challenge: true }), ALL, NOBODY),
    other_account: situation(good, ALL, { ...NOBODY, account: "another" }),
  };
  for (const [state, told] of Object.entries(cases)) {
    assert.equal(told.state, state);
    assert.ok(told.message && told.next_step, state);
  }
  assert.equal(situation(good, ALL, NOBODY).state, "ready");
});

test("FlowKit is told in words what it could not know otherwise, and never that nobody is signed in where that is not so", async () => {
  const more = { simulated: false, pageLoads: 1 };
  const wired = (one, granted = ALL, known = NOBODY) => wireState(one, situation(one, granted, known), more);
  const labs = await tab(1, { origin: "https://labs.google", path: "/fx/tools/flow" });
  for (const [wire, part] of [
    [wired({ ...(await tab(1)), outdated: true }), "Reload the Flow tab."],
    [wired(await tab(1, { values: false })), "Open Flow at labs.google"],
    [wired(labs, { ...ALL, api: false }), "Allow labs.google"],
    [wired(undefined, { ...ALL, flow: false }), "does not let this extension see"],
    [wired(await tab(1), ALL, { account: "another" }), "Use this account"],
    [wired({ id: 1, title: "", active: true, standing: "silent" }), "does not answer"],
  ]) {
    assert.ok(wire.person_needed.includes(part), part);
    assert.equal(wire.person_needed.split("\n").length, 2);
  }
  assert.equal(wired(await tab(1)).person_needed, undefined);
  assert.equal(wired(await tab(1, { signedIn: false })).person_needed, undefined);
});

test("FlowKit is told what kind of Flow it was even when no tab is open", () => {
  const told = wireState(undefined, situation(undefined, ALL, NOBODY), { simulated: true, pageLoads: 2 });
  assert.deepEqual(told, { tab: "none", signed_in: false, simulated: true, page_loads: 2 });
});

test("an account's label tells accounts apart without giving the address", async () => {
  const labels = await Promise.all(["somebody@example.com", "someone@example.com", "SOMEBODY@example.com"].map((name) => accountLabel(name, false)));
  assert.match(labels[0], /^s…@example\.com \([0-9a-f]{4}\)$/);
  assert.notEqual(labels[0], labels[1]);
  assert.equal(labels[0], labels[2]);
  assert.ok((await accountLabel("\ud83d@example.com", false)).isWellFormed());
  assert.ok((await accountLabel("\ud83d".repeat(300), true)).isWellFormed());
  assert.equal(await accountLabel("demo", true), "simulated:demo");
  for (const name of [7, {}, "", "x".repeat(400), null]) assert.equal(await accountLabel(name, false), null);
});

test("what a page says of itself is data: hosts and types are checked", async () => {
  for (const value of [null, 7, "x", [], {}, { ...PAGE, origin: "https://evil.example" }, { ...PAGE, path: 7 },
    { ...PAGE, origin: "https://flow.google.com.evil.example" }, { ...PAGE, origin: "http://flow.google.com" },
    { ...PAGE, origin: "https://labs.google", path: "/other" }, { ...PAGE, ready: "loading" }]) {
    assert.equal(await readSeen(value, "d"), null);
  }
  const poisoned = await readSeen({ ...PAGE, signedIn: "yes", captcha: 1, account: { length: 1 }, path: "/u/3/project/x" }, "d");
  assert.deepEqual([poisoned.signedIn, poisoned.captcha, poisoned.account, poisoned.path], [false, false, null, "/project/x"]);
});

// ---- captcha ---------------------------------------------------------------------------------

const page = (run) => ({ seen: { documentId: "d" }, run });

test("tokens are minted one at a time", async () => {
  const captcha = new Captcha(() => {});
  const first = gate();
  const order = [];
  const slow = page(async () => (order.push("first"), first.passed));
  const fast = page(async () => (order.push("second"), { token: "two" }));
  const minted = [captcha.mint(slow, "A"), captcha.mint(fast, "A")];
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(order, ["first"]);
  first.open({ token: "one" });
  assert.deepEqual(await Promise.all(minted), ["one", "two"]);
});

test("a mint that fails does not stop the next", async () => {
  const captcha = new Captcha(() => {});
  const bad = captcha.mint(page(async () => ({ fault: "NO_GRECAPTCHA" })), "A");
  const good = captcha.mint(page(async () => ({ token: "t" })), "A");
  await assert.rejects(bad, { code: "NO_GRECAPTCHA", sent: false });
  assert.equal(await good, "t");
});

for (const poison of [null, 7, "token", {}, { token: 7 }, { token: "" }, { token: "x".repeat(16385) }, { token: ["t"] }, { fault: "__proto__" }]) {
  test(`${JSON.stringify(poison)?.slice(0, 30)} is no token`, async () => {
    await assert.rejects(new Captcha(() => {}).mint(page(async () => poison), "A"), { sent: false });
  });
}

// ---- labs ------------------------------------------------------------------------------------

const BEARER = "the-page-s-own-bearer-1";
const session = (change = {}) => ({ bearer: BEARER, email: "somebody@example.com", name: "Somebody", ...change });
const request = (change = {}) => ({
  initiator: "https://labs.google", tabId: 4, documentId: "d",
  requestHeaders: [{ name: "Authorization", value: "Bearer another-bearer-of-this-page" }], ...change,
});

test("the page is asked once who is signed in, and again when its bearer was refused", async () => {
  let asked = 0;
  const sessions = new LabsSessions();
  const labs = page(async () => (asked++, session()));
  assert.equal((await sessions.known(labs, 10)).signedIn, true);
  assert.equal(await sessions.bearer(labs, 10), BEARER);
  assert.equal(asked, 1);
  await sessions.bearer(labs, 10, { fresh: true });
  assert.equal(asked, 2);
});

test("a bearer is not used beyond its life", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1 });
  let asked = 0;
  const sessions = new LabsSessions();
  const labs = page(async () => (asked++, session()));
  await sessions.bearer(labs, 10);
  t.mock.timers.setTime(BEARER_LIFE_MS + 2);
  await sessions.bearer(labs, 10);
  assert.equal(asked, 2);
});

for (const [what, change] of Object.entries({
  "another site": { initiator: "https://evil.example" },
  "a look-alike": { initiator: "https://labs.google.evil.example" },
  "our own worker": { initiator: "chrome-extension://kbdddalkhdjhhiehcbiihhmllmnpence", tabId: -1 },
  "no tab": { tabId: -1 },
  "another document": { documentId: "e" },
  "a wrong shape": { requestHeaders: [{ name: "Authorization", value: "Bearer short" }] },
  "a header with more in it": { requestHeaders: [{ name: "Authorization", value: `Bearer ${BEARER}\r\nCookie: a` }] },
})) {
  test(`a bearer from ${what} is not adopted`, async () => {
    const sessions = new LabsSessions();
    const labs = page(async () => session());
    await sessions.known(labs, 10);
    sessions.notice(request(change));
    assert.equal(await sessions.bearer(labs, 10), BEARER);
  });
}

test("the page's own newer bearer is adopted", async () => {
  const sessions = new LabsSessions();
  const labs = page(async () => session());
  await sessions.known(labs, 10);
  sessions.notice(request());
  assert.equal(await sessions.bearer(labs, 10), "another-bearer-of-this-page");
});

test("a bearer of another account than the page was seen with is told apart", async () => {
  const told = [session(), session({ email: "other@example.com" })];
  const sessions = new LabsSessions();
  const labs = page(async () => told.shift());
  labs.seen.account = (await sessions.known(labs, 10)).account;
  assert.equal(sessions.sameAccount(labs), true);
  await sessions.bearer(labs, 10, { fresh: true });
  assert.equal(sessions.sameAccount(labs), false);
});

test("a session of any other shape means that nobody is signed in", async () => {
  for (const told of [{}, session({ bearer: 7 }), session({ bearer: "x y".repeat(20) }), { fault: "MOVED" }]) {
    assert.equal(await new LabsSessions().bearer(page(async () => told), 10), null);
  }
});

test("a page that does not say who is signed in is not said to be signed out", async () => {
  for (const told of [null, 7, { fault: "NETWORK" }]) {
    const silent = page(async () => told);
    assert.equal(await new LabsSessions().known(silent, 10), null);
    await assert.rejects(new LabsSessions().bearer(silent, 10), { code: "NO_FLOW_TAB", sent: false });
  }
});

test("where a redirect leads is told to the call that waits for it, and to no other", async () => {
  const redirects = new Redirects();
  const one = redirects.expect(4, "https://labs.google/a");
  const other = redirects.expect(5, "https://labs.google/a");
  redirects.notice({ tabId: 4, url: "https://labs.google/a", redirectUrl: "https://flow-content.google/x" });
  assert.equal(await one.leadsTo(10), "https://flow-content.google/x");
  assert.equal(await other.leadsTo(10), null);
});
