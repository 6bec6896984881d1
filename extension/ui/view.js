// Draws the state that `shape.js` has read. Each part of the panel has one function here.

import { $, keepList, setLine, setText, setTime, setUsable, show, slot } from "./dom.js";
import * as words from "./words.js";

const STEPS = ["accepted", "minting", "sent", "done"];
// When questions come or go, others move: a click meant for what stood there before must answer nothing.
const ANSWER_AFTER_MS = 600;
/** As much of a profile's id as flowkit-mcp pair --list shows. */
const INSTANCE_SHOWN = 8;

let asked = "";
let arming = 0;

/** @param {boolean} pairingWanted the person asked to pair again while paired */
export function draw(state, pairingWanted) {
  const paired = state.link.state !== "unpaired";
  document.body.dataset.link = state.link.state;
  drawSlate(state, paired);
  drawPairing(paired, pairingWanted);
  drawApprovals(state.approvals, state.flow);
  drawHosts(state.hosts);
  drawTrouble(state.trouble);
  drawFlow(state.flow, paired && state.hosts.length === 0);
  drawWork(state, paired);
  drawLog(state, paired);
  drawAbout(state, paired);
  drawBar(state, paired);
  setText($("profile"), state.label);
}

/** Nobody answers for what is on the page any more: say so, and take the colour out of it. */
export function drawGone(why, at) {
  const told = {
    stopped: ["Out of touch with the extension", "Its background part has stopped. Starting it again…", ""],
    silent: ["The extension does not answer", "Its background part is there, but says nothing.", "Close this panel and open it again."],
    replaced: ["The extension was updated", "This panel belongs to the version before.", "Close this panel and open it again."],
  }[why];
  document.body.dataset.reach = "gone";
  $("slate").dataset.tone = "off";
  setText($("headline"), told[0]);
  const old = at === null ? "" : ` What is below is from ${new Date(at).toLocaleTimeString()}.`;
  setLine($("detail"), told[1] + old);
  setLine($("next"), told[2]);
  for (const id of ["facts", "simulated", "slate-actions", "bar", "approvals"]) show($(id), false);
  forgetAnswers(); // asked anew when the worker is back: an answer may have been lost
  reach(false);
}

/** Whether what is below the slate can be used. */
export function reach(alive) {
  if (alive) document.body.dataset.reach = "live";
  for (const part of document.querySelectorAll("main > :not(#slate), #bar")) part.inert = !alive;
}

function drawSlate(state, paired) {
  const { link } = state;
  const said = words.linkWords(state);
  $("slate").dataset.tone = said.tone;
  setText($("headline"), said.headline);
  setLine($("detail"), said.detail);
  setLine($("next"), said.next);
  const connected = link.state === "connected";
  setLine($("library"), connected && link.server?.library ? link.server.library : "");
  setLine($("version"), connected && link.server?.version ? `FlowKit ${link.server.version}` : "");
  setLine($("port"), link.port === null ? "" : `Port ${link.port}`);
  setTime($("since"), link.since, "during");
  show($("facts"), paired);
  show($("simulated"), (connected && link.server?.simulated === true) || state.flow.simulated);
  show($("slate-actions"), paired && !connected);
  $("pair-again").classList.toggle("quiet", link.state !== "refused");
}

function drawPairing(paired, wanted) {
  show($("pairing"), !paired || wanted);
  show($("pair-cancel"), paired);
}

function drawApprovals(approvals, flow) {
  show($("approvals"), approvals.length > 0);
  keepList($("approval-list"), "approval", approvals, (item) => item.id, (node, item) => {
    const [what, cost] = [words.whatWords(item), words.price(item.credits)];
    setText(slot(node, "what"), what);
    setText(slot(node, "price"), cost);
    setLine(slot(node, "left"), words.leftWords(item, flow));
    setTime(slot(node, "since"), item.since, "ago");
    setLine(slot(node, "account"), words.accountWords(item.account));
    for (const [name, word] of [["yes", "Allow"], ["no", "Refuse"]]) {
      slot(node, name).setAttribute("aria-label", `${word}: ${what}, ${cost}`);
      slot(node, name).answerTo = item.id;
    }
  });
  const now = JSON.stringify(approvals.map((item) => item.id));
  if (now !== asked) armAnswers();
  asked = now;
  const newest = approvals.at(-1);
  setText($("alarm"), newest ? `A paid call waits for your answer: ${words.whatWords(newest)}, ${words.price(newest.credits)}.` : "");
}

/** Makes the open questions answerable, in a moment; those that have been answered stay as they are. */
function armAnswers() {
  const open = () => $("approval-list").querySelectorAll(".approval:not([data-answered]) button");
  setUsable(open(), false);
  clearTimeout(arming);
  arming = setTimeout(() => setUsable(open(), true), ANSWER_AFTER_MS);
}

/** The answers that were given may not have arrived. */
export function forgetAnswers() {
  for (const question of $("approval-list").children) delete question.dataset.answered;
  armAnswers();
}

/** An answer is on its way: no second one. */
export function markAnswered(question) {
  question.dataset.answered = "true";
  setUsable(question.querySelectorAll("button"), false);
}

function drawHosts(hosts) {
  show($("hosts"), hosts.length > 0);
  setText($("grant"), hosts.includes("https://flow.google.com/*") ? "Allow" : "Allow labs.google");
  const wanted = hosts.map((host) => host.replace(/\/\*$/u, ""));
  const list = $("host-list");
  while (list.children.length > wanted.length) list.lastElementChild.remove();
  while (list.children.length < wanted.length) list.append(document.createElement("li"));
  wanted.forEach((host, index) => setText(list.children[index], host));
}

function drawTrouble(trouble) {
  show($("trouble"), trouble !== null);
  if (!trouble) return;
  setTime($("trouble-at"), trouble.at, "ago");
  setLine($("trouble-message"), trouble.message || "Something went wrong.");
  setLine($("trouble-next"), trouble.next);
  setLine($("trouble-code"), trouble.code);
}

/** @param {boolean} first whether nothing else comes first: pairing, or a permission */
function drawFlow(flow, first) {
  const said = words.flowWords(flow);
  show($("flow"), true);
  $("flow").dataset.tone = said.tone;
  setText($("flow-state"), said.detail);
  setLine($("flow-next"), said.next);
  setLine($("credits-amount"), flow.credits === null ? "" : words.number(flow.credits));
  setText($("credits-unit"), flow.credits === null ? "Credits not read yet" : "credits left");
  show($("credits"), flow.signedIn);
  setLine($("tier"), flow.tier);
  const facts = { account: flow.account, lane: words.laneWords(flow.lane), tab: words.tabWords(flow) };
  for (const [id, text] of Object.entries(facts)) {
    setText($(id), text);
    show($(id).parentElement, text !== "");
  }
  show($("use-account"), flow.other !== null);
  show($("open-flow"), said.open);
  show($("show-tab"), said.show);
  $("open-flow").classList.toggle("primary", said.open && first);
  $("show-tab").classList.toggle("primary", said.show && said.tone !== "good" && !said.open && !flow.other && first);
}

function drawWork(state, paired) {
  const { calls, jobs, ahead } = state;
  show($("work"), paired);
  setLine($("held"), state.held && `Nothing new is sent: ${state.held}`);
  keepList($("call-list"), "call", calls, (item) => item.id, drawCall);
  keepList($("job-list"), "job", jobs, (item) => item.id ?? item.what, (node, job) => {
    setText(slot(node, "what"), words.jobWhat(job));
    setText(slot(node, "price"), job.credits === null ? "" : words.price(job.credits));
    setText(slot(node, "state"), words.jobWords(job.state));
    node.dataset.tone = job.state === "needs_attention" ? "wait" : "";
  });
  show($("call-list"), calls.length > 0);
  for (const id of ["jobs-title", "job-list"]) show($(id), jobs.length + ahead > 0);
  setText($("jobs-count"), words.jobCount(jobs.length + ahead));
  setLine($("ahead"), ahead > 0 ? `${words.number(ahead)} more` : "");
  const empty = calls.length + jobs.length + ahead === 0;
  const hint = state.link.state === "connected"
    ? "Nothing to do. Ask your agent for a scene, and you can watch it being made here."
    : "Nothing to do. Work appears here once FlowKit is connected.";
  setLine($("work-empty"), empty ? hint : "");
}

function drawCall(node, call) {
  const at = call.phase === "asking" ? 0 : STEPS.indexOf(call.phase);
  node.dataset.paid = String(call.paid && call.credits !== 0);
  setText(slot(node, "what"), words.whatWords(call));
  setText(slot(node, "price"), words.price(call.credits, call.paid));
  setTime(slot(node, "since"), call.since, "clock");
  setText(slot(node, "phase"), words.phaseWords(call.phase));
  [...slot(node, "strip").children].forEach((step, index) => {
    step.className = index < at ? "past" : "";
    if (index === at) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
}

function drawLog(state, paired) {
  show($("log"), paired);
  keepList($("log-list"), "entry", state.log, (item) => `${item.at} ${item.name} ${item.what}`, (node, item) => {
    const outcome = words.outcomeWords(item.outcome);
    node.dataset.tone = outcome.good ? "good" : "bad";
    setText(slot(node, "what"), words.whatWords(item));
    setTime(slot(node, "at"), item.at, "ago");
    const facts = [
      outcome.text,
      item.credits === null || item.credits === 0 ? "" : words.price(item.credits),
      item.ms === null ? "" : words.took(item.ms),
    ];
    setText(slot(node, "outcome"), facts.filter(Boolean).join(" · "));
  });
  setText($("log-count"), state.log.length > 0 ? `${state.log.length}` : "");
  show($("log-empty"), state.log.length === 0);
  show($("clear-log"), state.log.length > 0);
}

function drawAbout(state, paired) {
  setText($("own-version"), state.version || "–");
  setText($("instance"), state.instance.slice(0, INSTANCE_SHOWN) || "–");
  const field = $("label");
  if (document.activeElement !== field && field.dataset.touched !== "true") field.value = state.label;
  show($("unpair"), paired);
}

function drawBar(state, paired) {
  show($("bar"), paired);
  $("ask").checked = state.ask;
  setText($("pause"), state.paused ? "Resume" : "Pause");
  $("pause").classList.toggle("primary", state.paused);
}
