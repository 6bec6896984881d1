// What the worker says, made safe to show. Everything in it may stem from a page or a server, so
// each field is checked, cut to size and freed of characters that could rewrite the line it stands in.
//
// flow.state is the FlowState of docs/bridge-protocol.md: {lane, account, tab, signed_in, person_needed, simulated}.

const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gu;
const LINKS = ["unpaired", "connecting", "connected", "standby", "server_down", "refused"];
const TABS = ["none", "loading", "ready", "frozen", "discarded"];
const PHASES = ["accepted", "asking", "minting", "sent", "done"];
const LONGEST_LIST = 200;
// Epoch seconds and milliseconds cannot be mistaken for each other this side of the year 5000.
const SECONDS_END = 1e11;
const LARGEST_COUNT = 1e12;
const LAST_MOMENT = 8.64e15; // no Date holds more

/** One line of plain text, at most `longest` characters; "" for what is not text. */
export function line(value, longest = 300) {
  if (typeof value !== "string") return "";
  const letters = [...value.slice(0, longest * 4).replace(INVISIBLE, " ")];
  const cut = letters.length > longest ? [...letters.slice(0, longest - 1), "…"] : letters;
  return cut.join("").trim();
}

/** The whole state; anything missing or misshapen is empty, null or false. */
export function readState(raw) {
  const state = thing(raw);
  const queue = thing(state.queue);
  return {
    version: line(state.version, 40),
    instance: line(state.instance, 64),
    label: line(state.label, 80),
    link: readLink(thing(state.link)),
    flow: readFlow(thing(state.flow)),
    paused: state.paused === true,
    ask: state.ask === true,
    approvals: list(state.approvals).map(readApproval).filter((item) => item.id !== null),
    calls: list(state.calls).map(readCall).filter((item) => item.id !== null),
    jobs: list(queue.jobs).map(readJob),
    ahead: count(queue.ahead) ?? 0,
    held: line(queue.paused_reason),
    trouble: readTrouble(state.last_error),
    log: list(state.log).map(readEntry),
    hosts: list(state.needs_hosts).map((host) => line(host, 200)).filter((host) => host.startsWith("https://")),
  };
}

function readLink(link) {
  const server = link.server && typeof link.server === "object" ? link.server : null;
  return {
    state: oneOf(link.state, LINKS, "connecting"),
    port: count(link.port),
    since: moment(link.since),
    message: line(link.message),
    next: line(link.next_step),
    server: server && {
      version: line(server.version, 40),
      library: line(server.library, 200),
      simulated: server.simulated === true,
    },
  };
}

function readFlow(flow) {
  const seen = thing(flow.state);
  const tabs = list(flow.tabs).map((tab) => ({
    title: line(thing(tab).title, 120),
    chosen: thing(tab).chosen === true,
  }));
  return {
    tab: oneOf(seen.tab, TABS, "none"),
    signedIn: seen.signed_in === true,
    person: line(seen.person_needed),
    simulated: seen.simulated === true,
    lane: oneOf(flow.lane ?? seen.lane, ["batchexecute", "labs"], null),
    account: line(flow.account ?? seen.account, 200),
    tier: line(flow.tier, 40),
    credits: count(flow.credits),
    tabs,
    message: line(flow.message),
    next: line(flow.next_step),
    situation: line(flow.situation, 40),
    other: readAccounts(flow.other_account),
  };
}

/** Who is signed in and who paid last, where those are two. */
function readAccounts(raw) {
  const [now, before] = [line(thing(raw).now, 200), line(thing(raw).before, 200)];
  return now && before ? { now, before } : null;
}

function readApproval(raw) {
  const item = thing(raw);
  return {
    id: identity(item.id),
    name: line(item.name, 60),
    what: line(item.what, 160),
    credits: count(item.credits),
    since: moment(item.since),
    account: readAccounts(item.account),
  };
}

function readCall(raw) {
  const item = thing(raw);
  return { ...readApproval(raw), phase: oneOf(item.phase, PHASES, "accepted"), paid: item.paid === true };
}

function readJob(raw) {
  const job = thing(raw);
  return {
    id: identity(job.id),
    what: line(job.what, 160),
    state: line(job.state, 60),
    credits: count(job.credits),
  };
}

function readTrouble(raw) {
  if (!raw || typeof raw !== "object") return null;
  return {
    code: line(raw.code, 60),
    message: line(raw.message),
    next: line(raw.next_step),
    at: moment(raw.at),
  };
}

function readEntry(raw) {
  const entry = thing(raw);
  return {
    at: moment(entry.at),
    name: line(entry.name, 60),
    what: line(entry.what, 160),
    outcome: line(entry.outcome, 80),
    credits: count(entry.credits),
    ms: count(entry.ms),
  };
}

function thing(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

function list(value) {
  return Array.isArray(value) ? value.slice(0, LONGEST_LIST) : [];
}

function oneOf(value, allowed, otherwise) {
  return allowed.includes(value) ? value : otherwise;
}

function count(value) {
  return typeof value === "number" && value >= 0 && value < LARGEST_COUNT ? value : null;
}

// An id goes back to the worker as it came, so it is taken whole or not at all.
function identity(value) {
  if (typeof value === "string") return value.length > 0 && value.length <= 200 ? value : null;
  return Number.isInteger(value) ? value : null;
}

/** Milliseconds since 1970, from milliseconds, seconds or an ISO date. */
function moment(value) {
  const number = typeof value === "string" ? Date.parse(value) : value;
  if (typeof number !== "number" || !(number > 0 && number < LAST_MOMENT)) return null;
  return number < SECONDS_END ? number * 1000 : number;
}
