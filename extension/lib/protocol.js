// @ts-check
/**
 * The messages between FlowKit and this extension. docs/bridge-protocol.md is the specification,
 * flowkit_mcp/bridge/protocol.py the other end. No message carries a bearer, a cookie or a captcha token.
 */

export const PROTOCOL = 1;
export const PATH = "/ext";
/** Where FlowKit wants the page's captcha token inside a body. */
export const RECAPTCHA = "$RECAPTCHA";

export const HANDSHAKE_LIMIT_MS = 5_000;
export const PING_EVERY_MS = 20_000;
export const SILENCE_LIMIT_MS = 45_000;
export const ASKING_LIMIT_MS = 600_000;
/** What a job or a call is for, in words: at most so many characters. */
const WHAT_LENGTH = 80;
export const MAX_MESSAGE = 64 * 1024 * 1024;
export const MAX_HANDSHAKE_MESSAGE = 4096;

/** Closing codes. */
export const CLOSE = Object.freeze({
  GOING_AWAY: 1001,
  MALFORMED: 4001,
  VERSION: 4002,
  NOT_PROVED: 4003,
  REPLACED: 4004,
  STALE: 4005,
  SIMULATED: 4006,
  TOO_SLOW: 4008,
});

/** @typedef {"accepted"|"asking"|"minting"|"sent"|"done"|"acked"} Phase */
/** @typedef {"never_received"|"in_flight"|"answered"|"sent_no_answer"} Standing */
/** @typedef {"batchexecute"|"labs"} Lane */
/** @typedef {{code: string, message: string, sent: boolean}} CallError */
/**
 * @typedef {object} Call
 * @property {string} id
 * @property {number} generation
 * @property {Lane} lane
 * @property {string} name
 * @property {string | null} [what] What it is for, for showing only.
 * @property {Record<string, any>} args
 * @property {string} [captcha]
 * @property {boolean} paid
 * @property {number} credits
 * @property {number} timeout_s
 * @property {string | null} [account] Who was signed in when it came. It is no part of the message.
 */
/**
 * @typedef {object} Result
 * @property {"result"} type
 * @property {string} id
 * @property {boolean} ok
 * @property {number} [status]
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 * @property {CallError} [error]
 */
/**
 * @typedef {object} FlowState
 * @property {Lane} [lane]
 * @property {string} [account]
 * @property {"none"|"loading"|"ready"|"frozen"|"discarded"} tab
 * @property {boolean} signed_in
 * @property {string} [person_needed]
 * @property {boolean} simulated
 * @property {number} page_loads
 */

/** A frame that is no message of this protocol; the text names the field, never the content. */
export class Malformed extends Error {}

/** @typedef {(value: any) => boolean} Check */
/** @type {Check} */
const whole = (value) => Number.isSafeInteger(value);
/** @type {Check} */
const flag = (value) => typeof value === "boolean";
/** @type {Check} */
const hex64 = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
/** In characters as the server counts them: an emoji is one of them. @type {(least: number, most: number) => Check} */
const text = (least, most) => (value) =>
  typeof value === "string" && value.length <= 2 * most && [...value].length >= least && [...value].length <= most;
/** @type {(check: Check) => Check} */
const maybe = (check) => (value) => value === undefined || value === null || check(value);
const id = text(1, 200);
/** @type {Check} */
const record = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const JOB = {
  id: whole,
  what: text(0, WHAT_LENGTH),
  state: (/** @type {any} */ value) =>
    ["queued", "running", "waiting", "needs_attention"].includes(value),
  credits: maybe(whole),
};

/** Every message the server may send, field by field. @type {Record<string, Record<string, Check>>} */
const FROM_SERVER = {
  challenge: { protocol: whole, nonce: hex64, generation: whole, proof: hex64 },
  welcome: { generation: whole, version: text(0, 200), library: text(0, 500), standby: maybe(flag) },
  pong: { at: whole },
  bye: { code: text(1, 40), message: maybe(text(0, 2000)) },
  call: {
    id,
    generation: whole,
    lane: (value) => value === "batchexecute" || value === "labs",
    name: text(1, 100),
    what: maybe(text(0, WHAT_LENGTH)),
    args: record,
    captcha: maybe(text(1, 100)),
    paid: maybe(flag),
    credits: maybe(whole),
    timeout_s: (value) => Number.isFinite(value) && value > 0,
  },
  withdraw: { id },
  ack: { id },
  resend: { id },
  lookup: { id },
  queue: {
    jobs: (value) =>
      Array.isArray(value) &&
      value.length <= 20 &&
      value.every((job) => record(job) && fault(JOB, job) === null),
    ahead: maybe(whole),
    paused_reason: maybe(text(0, 300)),
  },
};

/**
 * @param {Record<string, Check>} shape
 * @param {Record<string, any>} message
 * @returns {string | null} The field that is wrong; an unknown one is not named, it is the sender's text.
 */
function fault(shape, message) {
  for (const [name, check] of Object.entries(shape)) if (!check(message[name])) return name;
  const known = (/** @type {string} */ name) => name === "type" || Object.hasOwn(shape, name);
  return Object.keys(message).every(known) ? null : "…";
}

/**
 * @param {unknown} frame What the socket gave.
 * @returns {Record<string, any> & {type: string}}
 */
export function parseFromServer(frame) {
  if (typeof frame !== "string") throw new Malformed("binary frame");
  let message;
  try {
    message = JSON.parse(frame);
  } catch {
    throw new Malformed("not JSON");
  }
  const shape =
    record(message) && typeof message.type === "string" && Object.hasOwn(FROM_SERVER, message.type)
      ? FROM_SERVER[message.type]
      : null;
  if (shape === null) throw new Malformed("not a protocol message (at type)");
  const wrong = fault(shape, message);
  if (wrong !== null) throw new Malformed(`not a protocol message (at ${message.type}/${wrong})`);
  return message;
}

/**
 * @param {string} id
 * @param {string} code
 * @param {string} message
 * @param {boolean} sent False only if it is certain that nothing left the browser.
 * @returns {Result}
 */
export function errorResult(id, code, message, sent) {
  return { type: "result", id, ok: false, error: { code, message, sent } };
}

/** A call ends without an answer from Flow. */
export class CannotCall extends Error {
  /**
   * @param {string} code One of those of `CallError` in protocol.py.
   * @param {string} message
   * @param {{sent?: boolean, nextStep?: string}} [more]
   */
  constructor(code, message, { sent = false, nextStep = "" } = {}) {
    super(message);
    this.code = code;
    this.sent = sent;
    this.nextStep = nextStep;
  }
}
