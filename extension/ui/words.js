// What the panel says: from the worker's state to words. Pure functions, no page.
// Every headline says what is so; every next step says what the person can do about it.

/** Numbers as people write them: 1240 is "1,240". */
export function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

/** @param {number|null} credits @param {boolean} paid */
export function price(credits, paid = true) {
  if (!paid) return "free";
  if (credits === null) return "price not known";
  if (credits === 0) return "0 credits";
  return credits === 1 ? "1 credit" : `${number(credits)} credits`;
}

/** How long ago, in words that need not change every second. */
export function ago(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 10) return "just now";
  return s < 60 ? `${s} s ago` : `${span(ms)} ago`;
}

/** "12 min", "3 h", "2 days". */
export function span(ms) {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h`;
  const days = Math.floor(hours / 24);
  return days === 1 ? "1 day" : `${days} days`;
}

/** A running time as an editor shows it: "0:42", "12:05", "1:02:03". */
export function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** How long a call took: "640 ms", "2.3 s", "1 min 12 s". */
export function took(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
}

/** The slate at the top. `tone`: good, wait, bad or off. */
export function linkWords({ link, paused, flow }) {
  const port = link.port === null ? "its port" : `port ${link.port}`;
  const said = {
    unpaired: {
      tone: "off",
      headline: "Not paired yet",
      detail: "This browser and FlowKit do not know each other. One code introduces them.",
      next: "",
    },
    connecting: { tone: "wait", headline: "Looking for FlowKit…", detail: `Trying ${port} on this computer.`, next: "" },
    connected: { tone: "good", headline: "Connected to FlowKit", detail: "", next: "" },
    standby: {
      tone: "wait",
      headline: "Standing by",
      detail: "Another browser profile is in use. This one takes over when that one leaves.",
      next: "",
    },
    server_down: {
      tone: "off",
      headline: `FlowKit is not running on ${port}`,
      detail: "This panel tries again by itself.",
      next: "Start your agent with the FlowKit server, or run flowkit-mcp worker.",
    },
    refused: {
      tone: "bad",
      headline: "Not connected to FlowKit",
      detail: `Another program answers on ${port}: it could not prove that it is your FlowKit, so nothing was sent to it.`,
      next: "Close the other program, or pair again with a new code.",
    },
  }[link.state];
  const words = { ...said, detail: link.message || said.detail, next: link.next || said.next };
  if (link.state !== "connected") return words;
  if (paused) {
    return {
      tone: "wait",
      headline: "Paused",
      detail: words.detail || "No paid call leaves this browser. Reading goes on.",
      next: words.next || "Press Resume when you want the work to go on.",
    };
  }
  if (flowReady(flow)) return words;
  const waits = flow.tab === "loading" ? "It waits for Flow's tab." : "Nothing can be made until Flow is ready: see below.";
  return { ...words, tone: "wait", detail: words.detail || waits };
}

export function flowReady(flow) {
  return flowWords(flow).tone === "good";
}

/** What is so with Flow's tab. `show` and `open` say which buttons help. */
export function flowWords(flow) {
  const words = flowPlain(flow);
  if (words.tone === "good" && flow.next) words.tone = "wait"; // something is to be done all the same
  return { ...words, detail: flow.message || words.detail, next: flow.next || words.next };
}

function flowPlain(flow) {
  if (flow.tab === "none") {
    return { tone: "off", detail: "No Flow tab is open.", next: "Open Flow and sign in.", open: true, show: false };
  }
  const there = { open: flow.situation === "not_served", show: true };
  if (flow.person) {
    return { tone: "wait", detail: flow.person, next: "Show the tab and do what Flow asks for there.", ...there };
  }
  if (flow.tab === "loading") return { tone: "wait", detail: "The Flow tab is loading.", next: "", ...there };
  if (flow.tab === "frozen") {
    return { tone: "wait", detail: "Chrome has frozen the Flow tab.", next: "Show the tab to wake it.", ...there };
  }
  if (flow.tab === "discarded") {
    return { tone: "wait", detail: "Chrome has put the Flow tab to sleep.", next: "Show the tab to load it again.", ...there };
  }
  if (!flow.signedIn) {
    return { tone: "bad", detail: "Not signed in to Flow.", next: "Show the tab and sign in there.", ...there };
  }
  return { tone: "good", detail: "Signed in and ready.", next: "", ...there };
}

const LANES = { batchexecute: "flow.google.com (batchexecute)", labs: "labs.google (bearer)" };

export function laneWords(lane) {
  return LANES[lane] ?? "";
}

/** What would be left after a call that is asked about; nothing where that is not known. */
export function leftWords({ credits, account }, flow) {
  if (!credits || flow.credits === null || account) return "";
  return `of ${number(flow.credits)}`;
}

/** Why the account makes a question of a call. */
export function accountWords(account) {
  return account ? `From ${account.now}. The last paid work was done as ${account.before}.` : "";
}

/** Which tab is used, and how many there are. */
export function tabWords(flow) {
  if (flow.tab === "none") return "";
  const chosen = flow.tabs.find((tab) => tab.chosen);
  const title = chosen?.title || "Open";
  return flow.tabs.length > 1 ? `${title} (1 of ${flow.tabs.length} Flow tabs)` : title;
}

const CALLS = {
  "account.credits": "Read credits",
  "account.models": "Read the models",
  "project.create": "Make a project",
  "project.contents": "Read a project",
  "project.list": "List projects",
  "project.rename": "Rename a project",
  "project.delete": "Delete a project",
  "media.get": "Look up an image or clip",
  "media.url": "Find a file's address",
  "media.delete": "Delete an image or clip",
  "media.cancel": "Stop a generation",
  "workflow.update": "Change a take in Flow",
  "workflow.archive": "Archive a take in Flow",
  "scene.create": "Make a scene in Flow",
  "character.create": "Make a character in Flow",
  "character.update": "Change a character in Flow",
  "character.portrait": "Give a character its portrait",
  "image.upload": "Upload an image",
  "image.generate": "Make an image",
  "image.upscale": "Upscale an image",
  "video.text": "Make a clip from words",
  "video.start": "Make a clip from an image",
  "video.start_end": "Make a clip between two images",
  "video.references": "Make a clip with references",
  "video.extend": "Extend a clip",
  "video.upscale": "Upscale a clip",
  "video.status": "Ask how far a clip is",
};

export function whatWords(item) {
  return capital(item.what || CALLS[item.name] || item.name || "A call to Flow");
}

export function jobWhat(job) {
  return capital(job.what || `Job ${job.id ?? ""}`);
}

function capital(text) {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("");
}

export function jobCount(jobs) {
  return jobs === 1 ? "1 job" : `${number(jobs)} jobs`;
}

const PHASES = {
  accepted: "Getting ready",
  asking: "Waiting for your answer",
  minting: "Flow's page makes a captcha token",
  sent: "Sent to Flow, waiting for the answer",
  done: "Answered",
};

export function phaseWords(phase) {
  return PHASES[phase];
}

const JOBS = {
  queued: "in the queue",
  running: "its turn now",
  waiting: "Flow is making it",
  needs_attention: "needs you: ask your agent",
  succeeded: "done",
  failed: "failed",
  cancelled: "cancelled",
};

export function jobWords(state) {
  return JOBS[state] ?? state;
}

const OUTCOMES = {
  ok: "done",
  done: "done",
  REFUSED_BY_PERSON: "refused by you",
  WITHDRAWN: "taken back, not sent",
  PAUSED: "not sent: paused",
  TIMEOUT: "no answer in time",
  LOST: "sent, answer lost",
  NETWORK: "network error",
  NO_FLOW_TAB: "no Flow tab",
  FLOW_TAB_DISCARDED: "Flow tab asleep",
  NOT_SIGNED_IN: "not signed in",
  NO_GRECAPTCHA: "page has no captcha",
  CAPTCHA_FAILED: "captcha failed",
  CAPTCHA_TIMEOUT: "captcha took too long",
  HOST_PERMISSION_WITHHELD: "permission missing",
  DUPLICATE: "came twice, made once",
  UNKNOWN_CALL: "unknown call, not sent",
  BAD_ARGUMENTS: "bad arguments, not sent",
  STALE_GENERATION: "from an old server, not sent",
};

/** @returns {{text: string, good: boolean}} */
export function outcomeWords(outcome) {
  const good = outcome === "" || /^(ok|done)$/iu.test(outcome) || /^(HTTP )?2\d\d\b/u.test(outcome);
  return { text: OUTCOMES[outcome] ?? (outcome || "done"), good };
}

/** Why a pasted code cannot be one, or "" when it may be. */
export function codeProblem(code) {
  if (code === "") return "Paste the code that flowkit-mcp pair printed.";
  const parts = /^fk1\.([^.]*)\.(.*)$/u.exec(code);
  if (!parts) {
    return "That is not a pairing code. It begins with fk1. and is the first line that flowkit-mcp pair prints.";
  }
  const port = Number(parts[1]);
  if (!/^\d{1,5}$/u.test(parts[1]) || port < 1 || port > 65535) {
    return "The port in this code is wrong. Copy the whole line again.";
  }
  if (!/^[0-9a-f]*$/u.test(parts[2])) return "There is a character in this code that does not belong. Copy the whole line again.";
  if (parts[2].length !== 64) {
    return `The code is not complete: ${parts[2].length} of 64 characters after the port. Copy the whole line again.`;
  }
  return "";
}

/** What people paste around a code: quotes, blanks, line breaks, a shell prompt's backticks. */
export function tidyCode(pasted) {
  return pasted.replace(/[\s"'`“”‘’\u200b\ufeff]+/gu, "");
}

/** A last look at diagnostics: whatever has the form of a secret is taken out. */
export function withoutSecrets(text) {
  return text
    .replace(/fk1\.\d+\.[0-9a-f]+/giu, "[pairing code removed]")
    .replace(/ya29\.[\w.-]+/gu, "[bearer removed]")
    .replace(/\b[0-9a-f]{64}\b/giu, "[key removed]")
    .replace(/\b[\w.+-]+@[\w-]+(\.[\w-]+)+/gu, "[address removed]");
}
