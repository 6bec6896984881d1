// @ts-check
/** What came back from a page, read as untrusted data. From here on the call counts as sent. */

import { PageFault } from "../inject.js";
import { CannotCall, MAX_MESSAGE, errorResult } from "../protocol.js";

/** @typedef {{status: number, type: string, retryAfter: string, body: string, redirected: boolean}} Answer */

/** How much longer than the call itself its page may take to hand over the answer. */
export const HAND_OVER_MS = 4_000;
/** JSON text in JSON text: every quote takes two characters in the frame. */
const MAX_ANSWER = MAX_MESSAGE / 2;

/**
 * @param {unknown} value
 * @returns {Answer}
 * @throws {CannotCall} There is none.
 */
export function readAnswer(value) {
  if (typeof value !== "object" || value === null) {
    throw new CannotCall("LOST", "the Flow page was reloaded or closed before it answered", { sent: true });
  }
  const { fault, sent, status, type, retryAfter, body, redirected } =
    /** @type {Record<string, any>} */ (value);
  if (fault !== undefined) throw faultOf(fault, sent !== false);
  if (!Number.isInteger(status) || status < 100 || status > 599 || typeof body !== "string") {
    throw new CannotCall("LOST", "the Flow page gave no answer that could be read", { sent: true });
  }
  if (body.length > MAX_ANSWER) {
    throw new CannotCall("NETWORK", "the answer is too large", { sent: true });
  }
  // Half a surrogate pair is no text that FlowKit could read: the link would end at it, again and again.
  const short = (/** @type {unknown} */ text) => (typeof text === "string" ? text.slice(0, 200).toWellFormed() : "");
  const whole = body.toWellFormed();
  return { status, type: short(type), retryAfter: short(retryAfter), body: whole, redirected: redirected === true };
}

/**
 * @param {unknown} fault
 * @param {boolean} sent
 */
function faultOf(fault, sent) {
  if (fault === "TIMEOUT") return new CannotCall("TIMEOUT", "Flow did not answer in time", { sent });
  if (fault === "NOT_SIGNED_IN") {
    return new CannotCall("NOT_SIGNED_IN", "nobody is signed in to Flow", {
      sent,
      nextStep: "Sign in in the Flow tab.",
    });
  }
  if (fault === "NO_FLOW_TAB") return new CannotCall("NO_FLOW_TAB", "the Flow tab went elsewhere", { sent });
  return new CannotCall("NETWORK", "the connection to Flow broke off", { sent });
}

/**
 * A page that went away after the call was handed to it: what became of it is not known.
 * @param {unknown} error
 * @returns {never}
 */
export function lost(error) {
  if (!(error instanceof PageFault)) throw error;
  if (error.why === "late") throw new CannotCall("TIMEOUT", "the Flow page did not answer in time", { sent: true });
  throw new CannotCall("LOST", "the Flow page was reloaded or closed before it answered", { sent: true });
}

/** @param {Answer} answer */
export function isHtml({ type }) {
  return type.toLowerCase().startsWith("text/html");
}

/**
 * An answer that does not fit into a frame is an answer all the same, but it cannot be handed over.
 * @param {string} id
 * @param {Answer} answer
 * @returns {import("../protocol.js").Result}
 */
export function resultOf(id, { status, type, retryAfter, body }) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (type) headers["content-type"] = type;
  if (retryAfter) headers["retry-after"] = retryAfter;
  /** @type {import("../protocol.js").Result} */
  const result = { type: "result", id, ok: true, status, headers, body };
  const size = new Blob([JSON.stringify(result)]).size;
  return size <= MAX_MESSAGE ? result : errorResult(id, "NETWORK", "the answer is too large", true);
}
