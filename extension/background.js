// @ts-check
/**
 * The extension's worker: puts the parts together. Chrome stops it when nothing happens and starts it again
 * for any event, so all listeners are registered here at once, and connecting is the last thing it does.
 */

import { Approvals } from "./lib/ask.js";
import { Calls } from "./lib/calls.js";
import { obey } from "./lib/commands.js";
import { Flow, logLine } from "./lib/flow.js";
import { LABS, LABS_API } from "./lib/flow_api.js";
import { Journal } from "./lib/journal.js";
import { Keyring } from "./lib/keyring.js";
import { CallLog } from "./lib/log.js";
import { Settings } from "./lib/settings.js";
import { Link } from "./lib/socket.js";
import { Panels } from "./lib/state.js";

const { version } = chrome.runtime.getManifest();
const journal = new Journal(chrome.storage.local);
const settings = new Settings(chrome.storage.local);
const log = new CallLog(chrome.storage.session);
const panels = new Panels(read);
const changed = () => panels.changed();
const approvals = new Approvals(() => {
  badge();
  changed();
});
/** @type {Flow} */
const flow = new Flow(flowChanged, () => link.simulated);

/** @type {{jobs: object[], ahead: number, paused_reason?: string | null}} */
let queue = { jobs: [], ahead: 0 };
/** @type {{name: string, code: string, message: string, next_step: string, at: number} | null} */
let lastError = null;
/** Ends of a call that somebody wanted: they are in the log, and nothing is wrong. */
const WANTED = new Set(["PAUSED", "REFUSED_BY_PERSON", "WITHDRAWN"]);
let toldFlow = "";

/** @type {Link} */
const link = new Link(new Keyring(), {
  instance: () => settings.instance,
  about() {
    toldFlow = JSON.stringify(flow.tabs.wire);
    return { version, label: settings.label, flow: flow.tabs.wire, journal: journal.openCalls() };
  },
  message: hear,
  up() {
    tellFlow();
    if (settings.paused) link.send({ type: "pause", paused: true });
  },
  otherKind() {
    // With no Flow tab in sight nobody can tell which Flow it would be: what the server wants, then.
    if (flow.tabs.chosen !== undefined) return false;
    flow.tabs.memory.simulated = !flow.tabs.memory.simulated;
    return true;
  },
  changed() {
    if (!link.connected) queue = { jobs: [], ahead: 0 };
    watch(link.view.state !== "unpaired");
    badge();
    changed();
  },
});

const calls = new Calls({
  journal,
  send: (message) => link.send(message),
  generation: () => link.generation,
  paused: () => settings.paused,
  ask: () => settings.ask,
  otherAccount: () => flow.otherAccount,
  useAccount,
  approvals,
  perform: (call, row, reach) => flow.perform(call, row, reach),
  recall: (id) => flow.recall(id),
  forget: (id) => flow.forget(id),
  ended(call, answer, error, ms) {
    log.add(logLine(call, answer, error, ms));
    if (error === null) {
      if (lastError?.name === call.name) lastError = null; // it works again
      remember();
    } else if (!WANTED.has(error.code)) {
      const { code, message, nextStep } = error;
      lastError = { name: call.name, code, message: sentence(message), next_step: nextStep, at: Date.now() };
    }
    tellFlow();
    changed();
  },
  changed,
});

// ---- what comes from FlowKit -----------------------------------------------------------------

/** @param {Record<string, any> & {type: string}} message */
async function hear(message) {
  switch (message.type) {
    case "call":
      return calls.take({
        .../** @type {import("./lib/protocol.js").Call} */ (/** @type {unknown} */ (message)),
        account: flow.tabs.wire.account ?? null,
        paid: message.paid === true,
        credits: message.credits ?? 0,
      });
    case "lookup":
      return calls.lookup(message.id);
    case "resend":
      return calls.resend(message.id);
    case "ack":
      return calls.ack(message.id);
    case "withdraw":
      return calls.withdraw(message.id);
    case "queue":
      queue = { jobs: message.jobs, ahead: message.ahead ?? 0, paused_reason: message.paused_reason };
      return changed();
  }
}

// ---- what is seen of Flow --------------------------------------------------------------------

function flowChanged() {
  approvals.accountSettled(flow.otherAccount?.now ?? null);
  tellFlow();
  badge();
  changed();
}

function tellFlow() {
  const wire = flow.tabs.wire;
  const text = JSON.stringify(wire);
  if (!link.connected || text === toldFlow) return;
  toldFlow = text;
  link.send({ type: "event", flow: wire });
}

/** The account that paid last, and the kind of Flow, for the next life of this worker. */
function remember() {
  const { account, simulated } = flow.tabs.memory;
  if (account === settings.account && simulated === settings.simulated) return;
  settings.save({ account, simulated }).catch(() => {}); // worth a question more, no harm
}

/** @param {string} account The person says that paid work may be done as this one. */
function useAccount(account) {
  flow.tabs.memory.account = account;
  remember();
  flowChanged();
}

// ---- what the person sees --------------------------------------------------------------------

function read() {
  const { state: situation, message, next_step } = flow.tabs.words;
  const wire = flow.tabs.wire;
  return {
    version,
    instance: settings.instance,
    label: settings.label,
    link: link.view,
    flow: {
      state: wire,
      situation,
      lane: wire.lane ?? null,
      account: wire.account ?? null,
      ...flow.balance,
      other_account: flow.otherAccount,
      tabs: flow.tabs.tabs,
      message,
      next_step,
    },
    paused: settings.paused,
    ask: settings.ask,
    approvals: approvals.list(),
    calls: calls.list,
    queue,
    last_error: lastError,
    log: log.lines,
    needs_hosts: flow.tabs.needsHosts,
  };
}

function dismiss() {
  lastError = null;
  changed();
}

function badge() {
  const asked = approvals.list().length;
  // That FlowKit is not running is no trouble: nobody wants anything now.
  const trouble = link.view.state === "refused" || (link.connected && flow.tabs.wire.person_needed);
  const text = asked > 0 ? String(asked) : trouble ? "!" : "";
  chrome.action.setBadgeText({ text }).catch(() => {});
}

/** @param {string} text */
function sentence(text) {
  return text === "" ? "" : `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** For a bug report: no tokens, no addresses, no prompts, no whole account. */
function diagnostics() {
  const { state, port, message } = link.view;
  const wire = flow.tabs.wire;
  return [
    `FlowKit extension ${version}, profile ${settings.instance.slice(0, 8)}`,
    navigator.userAgent,
    `link: ${state}, port ${port ?? "none"}, generation ${link.generation}. ${message}`,
    `flow: ${flow.tabs.words.state}, tab ${wire.tab}, lane ${wire.lane ?? "unknown"}, signed in ${wire.signed_in}, ` +
      `simulated ${wire.simulated}, ${flow.tabs.tabs.length} tabs, page loads ${wire.page_loads}`,
    `paused ${settings.paused}, ask ${settings.ask}, hosts wanted: ${flow.tabs.needsHosts.join(" ") || "none"}`,
    `journal: ${JSON.stringify(journal.counts())}; running: ${calls.list.map(({ name, phase }) => `${name} ${phase}`).join(", ") || "none"}`,
    `last error: ${lastError ? `${lastError.code} ${lastError.message}` : "none"}`,
    ...log.lines.slice(0, 20).map(({ at, name, outcome, ms }) => `${new Date(at).toISOString()} ${name} ${outcome} ${ms} ms`),
  ].join("\n");
}

// ---- listeners: all of them now, before anything is waited for ---------------------------------

/** @type {ReturnType<typeof setTimeout> | undefined} */
let lookTimer;
/** Tabs change in bursts: one look after each. */
function lookSoon() {
  clearTimeout(lookTimer);
  lookTimer = setTimeout(look, 200);
}

function look() {
  ready.then(() => flow.tabs.look()).catch((error) => console.error("FlowKit: looking failed", error));
}

chrome.runtime.onConnect.addListener((port) => {
  ready.then(() => {
    const worker = { link, settings, flow, approvals, log, diagnostics, useAccount, dismiss, changed };
    if (!panels.accept(port, (message, reply) => obey(worker, message, reply))) return;
    link.hurry();
    look();
  });
});
chrome.tabs.onUpdated.addListener((tabId, change, tab) => {
  // Without the permission `tabs`, addresses are told of Flow's own hosts only.
  if (!tab.url && !flow.tabs.knows(tabId)) return;
  lookSoon();
  wake();
});
chrome.tabs.onRemoved.addListener((tabId) => flow.tabs.knows(tabId) && lookSoon());
chrome.tabs.onReplaced.addListener(lookSoon);
chrome.permissions.onAdded.addListener(lookSoon);
chrome.permissions.onRemoved.addListener(lookSoon);
chrome.webRequest.onBeforeSendHeaders.addListener(
  (request) => {
    if (flow.sessions.notice(request)) lookSoon();
    return undefined;
  },
  { urls: [`${LABS_API}/*`], types: ["xmlhttprequest"] },
  ["requestHeaders"],
);
chrome.webRequest.onBeforeRedirect.addListener((details) => flow.redirects.notice(details), {
  urls: [`${LABS}/fx/api/*`],
  types: ["xmlhttprequest"],
});
chrome.alarms.onAlarm.addListener(() => {
  wake();
  look();
});
chrome.runtime.onStartup.addListener(wake);
chrome.runtime.onInstalled.addListener(wake);

/** @type {boolean | null} */
let watched = null;
/** @param {boolean} wanted Whether there is a link to look after: an unpaired profile is left to sleep. */
function watch(wanted) {
  if (wanted === watched) return;
  watched = wanted;
  if (wanted) void chrome.alarms.create("watchdog", { periodInMinutes: 0.5 });
  else void chrome.alarms.clear("watchdog");
}

function wake() {
  ready.then(() => link.connect());
}

// ---- start -----------------------------------------------------------------------------------

const ready = start();
wake();

async function start() {
  // Where a content script could run, it could read local storage otherwise.
  await chrome.storage.local.setAccessLevel({ accessLevel: "TRUSTED_CONTEXTS" }).catch(() => {});
  await Promise.all([settings.open(), journal.open(), log.open(), link.open().catch(() => {})]);
  flow.tabs.memory.account = settings.account;
  flow.tabs.memory.simulated = settings.simulated;
  // A tab that sleeps must not keep us from FlowKit for long.
  const look = flow.tabs.look();
  void calls.recover(); // from now on these are in flight: whoever asks must not hear that they are lost
  await Promise.race([look, new Promise((resolve) => setTimeout(resolve, 1500))]);
  void chrome.sidePanel.setPanelBehavior({ openPanelOnActionClick: true });
}
