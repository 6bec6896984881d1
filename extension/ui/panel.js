// The side panel: shows what the worker says and hands on what the person wants. It holds nothing of
// its own: no state is remembered, nothing is stored, nothing leaves for anywhere but the worker.

import { $, setText, tick } from "./dom.js";
import { openLink } from "./link.js";
import { line, readState } from "./shape.js";
import { draw, drawGone, forgetAnswers, markAnswered, reach } from "./view.js";
import * as words from "./words.js";

const SAID_MS = 6000;
const TIMES = {
  ago: words.ago,
  clock: words.clock,
  during: (ms) => (ms < 60_000 ? "" : `for ${words.span(ms)}`),
};

let state = null;
let heardAt = null;
let pairingWanted = false;
let linkBefore = null; // the link as it was when a code was sent, while it may still come to something
let alive = false;
let hush = 0;

const link = openLink(
  (message) => {
    if (message?.type === "state") hear(message.state);
    else if (message?.type === "refused") refused(message);
    else if (message?.type === "diagnostics") void copy(message.text);
  },
  (why) => {
    alive = false;
    drawGone(why, heardAt);
  },
);

function hear(raw) {
  const answering = $("approvals").contains(document.activeElement);
  state = readState(raw);
  heardAt = Date.now();
  alive = true;
  const paired = pairingEnded();
  reach(true);
  draw(state, pairingWanted);
  tick(TIMES);
  if (paired) $("headline").focus();
  if (answering && document.activeElement === document.body) {
    ($("approval-list").querySelector('[data-slot="no"]') ?? $("headline")).focus();
  }
}

function send(message) {
  if (link.send(message)) return true;
  say("The extension does not hear the panel just now. Try again in a moment.");
  return false;
}

/** A line at the foot of the panel, read out once. */
function say(text) {
  clearTimeout(hush);
  setText($("said"), text);
  hush = setTimeout(() => setText($("said"), ""), SAID_MS);
}

function refused({ of, message, next_step: next }) {
  const text = [line(message) || "That did not work.", line(next)].filter(Boolean).join(" ");
  if (of === "pair") {
    pairingFrom(null);
    codeError(text);
  } else {
    say(text);
  }
  if (of === "answer") forgetAnswers();
  if (state) draw(state, pairingWanted); // a switch goes back to where it was
}

// ---- pairing ---------------------------------------------------------------------------------

$("pair-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = words.tidyCode($("code").value);
  const problem = words.codeProblem(code);
  codeError(problem);
  if (problem) {
    $("code").focus();
  } else if (send({ type: "pair", code })) {
    pairingFrom(JSON.stringify(state.link));
  }
});

$("code").addEventListener("input", () => codeError(""));

$("pair-again").addEventListener("click", () => {
  pairingWanted = true;
  draw(state, pairingWanted);
  $("code").focus();
});

$("pair-cancel").addEventListener("click", () => {
  pairingWanted = false;
  $("code").value = "";
  codeError("");
  draw(state, pairingWanted);
  $("headline").focus();
});

function codeError(text) {
  setText($("code-error"), text);
  if (text) $("code").setAttribute("aria-invalid", "true");
  else $("code").removeAttribute("aria-invalid");
}

function pairingFrom(before, busy = before !== null) {
  linkBefore = before;
  $("pair").disabled = busy;
  setText($("pair"), busy ? "Pairing…" : "Pair");
}

/** Whether the code that was sent has just led to a link, and the person is at no other part of the panel. */
function pairingEnded() {
  const now = JSON.stringify(state.link);
  if (linkBefore === null || state.link.state === "connecting" || now === linkBefore) return false;
  const paired = state.link.state === "connected";
  // A secret stays on no screen longer than it must; one that is being typed instead is left alone.
  if (paired || $("pair").disabled) $("code").value = "";
  // Where nobody answers, the code is tried again by itself.
  pairingFrom(state.link.state === "server_down" ? now : null, false);
  if (!paired) return false;
  pairingWanted = false;
  say("Paired.");
  const at = document.activeElement;
  return at === document.body || $("pairing").contains(at);
}

// ---- the rest --------------------------------------------------------------------------------

for (const [id, message] of [
  ["reconnect", { type: "reconnect" }],
  ["open-flow", { type: "open_flow" }],
  ["show-tab", { type: "show_tab" }],
  ["dismiss", { type: "dismiss" }],
  ["clear-log", { type: "clear_log" }],
  ["diagnostics", { type: "diagnostics" }],
]) {
  $(id).addEventListener("click", () => send(message));
}

$("use-account").addEventListener("click", () => {
  if (state.flow.other) send({ type: "use_account", account: state.flow.other.now });
});

$("pause").addEventListener("click", () => send({ type: "pause", paused: !state.paused }));

$("ask").addEventListener("change", (event) => {
  const ask = event.target.checked;
  event.target.checked = state.ask; // it moves when the worker says that it is so
  send({ type: "ask", ask });
});

$("approval-list").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-slot]");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  const yes = button.dataset.slot === "yes";
  if (!send({ type: "answer", id: button.answerTo, yes })) return;
  markAnswered(button.closest("li"));
});

$("grant").addEventListener("click", async () => {
  // Chrome asks only while it handles a click, so nothing is awaited before this.
  const given = await chrome.permissions.request({ origins: state.hosts }).catch(() => false);
  say(given ? "Permission given." : "Chrome did not give the permission. Press the button again, or allow the sites in the extension's settings.");
});

$("rename-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const label = line($("label").value, 80);
  if (!label) {
    say("A name needs at least one letter.");
    $("label").focus();
    return;
  }
  delete $("label").dataset.touched;
  if (send({ type: "rename", label })) say(`This profile is now called ${label}.`);
});

$("label").addEventListener("input", () => {
  $("label").dataset.touched = "true";
});

$("unpair").addEventListener("click", () => $("unpair-dialog").showModal());
$("unpair-no").addEventListener("click", () => $("unpair-dialog").close());
$("unpair-yes").addEventListener("click", () => {
  $("unpair-dialog").close();
  if (send({ type: "unpair" })) $("headline").focus();
});

async function copy(text) {
  const clean = words.withoutSecrets(typeof text === "string" ? text : "");
  try {
    await navigator.clipboard.writeText(clean);
    say("Diagnostics copied.");
  } catch {
    $("copy-text").value = clean;
    $("copy-dialog").showModal();
    $("copy-text").select();
  }
}

$("copy-close").addEventListener("click", () => $("copy-dialog").close());

// While nobody answers, the clocks stand still: a running clock would look alive.
setInterval(() => {
  if (alive && !document.hidden) tick(TIMES);
}, 1000);
