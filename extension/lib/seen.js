// @ts-check
/** What a page said of itself, read as untrusted data, and the label of the account it shows. */

import { FLOW, LABS } from "./flow_api.js";

/** @typedef {import("./protocol.js").Lane} Lane */
/**
 * @typedef {object} Seen
 * @property {string} documentId
 * @property {Lane} lane
 * @property {string} user `/u/<n>` or nothing: which of several accounts in this browser.
 * @property {string} path Without it.
 * @property {boolean} about The page for people who have no Flow here.
 * @property {boolean} signedIn
 * @property {string | null} account A label, never the whole address.
 * @property {boolean} simulated
 * @property {boolean} captcha
 * @property {boolean} challenge A check for a person is on the screen.
 */

const USER = /^\/u\/\d{1,3}(?=\/|$)/;

/**
 * @param {unknown} value What page/look.js returned.
 * @param {string} documentId
 * @returns {Promise<Seen | null>} Null if that is no page of Flow, or not yet.
 */
export async function readSeen(value, documentId) {
  if (typeof value !== "object" || value === null) return null;
  const page = /** @type {Record<string, unknown>} */ (value);
  const lane = laneOf(page);
  if (lane === null || typeof page.path !== "string" || page.ready === "loading") return null;
  const simulated = page.simulated === true;
  return {
    documentId,
    lane,
    user: USER.exec(page.path)?.[0] ?? "",
    path: page.path.slice(0, 400).replace(USER, "") || "/",
    about: lane === "batchexecute" && page.values !== true,
    signedIn: lane === "batchexecute" && page.signedIn === true,
    account: lane === "batchexecute" ? await accountLabel(page.account, simulated) : null,
    simulated,
    captcha: page.captcha === true,
    challenge: page.challenge === true,
  };
}

/**
 * @param {Record<string, unknown>} page
 * @returns {Lane | null}
 */
function laneOf(page) {
  if (page.origin === FLOW) return "batchexecute";
  const path = typeof page.path === "string" ? page.path : "";
  return page.origin === LABS && /^\/fx(\/|$)/.test(path) ? "labs" : null;
}

/**
 * Enough to tell accounts apart and to recognise one's own, without the address: `j…@example.com (4f1c)`.
 * @param {unknown} told The address, or the simulator's name of an account.
 * @param {boolean} simulated
 * @returns {Promise<string | null>}
 */
export async function accountLabel(told, simulated) {
  if (typeof told !== "string" || told === "" || told.length > 320) return null;
  const whole = told.toWellFormed(); // half a surrogate pair would break the link
  if (simulated) return `simulated:${[...whole].slice(0, 90).join("")}`;
  const name = whole.toLowerCase(); // both lanes tell of one account, not always in one spelling
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  const mark = Array.from(new Uint8Array(digest).slice(0, 2), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  const at = name.lastIndexOf("@");
  const domain = at > 0 ? [...name.slice(at)].slice(0, 60).join("") : "";
  const shown = `${[...name][0]}…${domain}`;
  return `${shown} (${mark})`;
}
