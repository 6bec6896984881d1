// @ts-check
/**
 * Who is signed in on pages of labs.google, and their bearers. In memory only, never in a message or a log.
 *
 * A bearer comes from the page's own session call, or is noticed on the page's own requests.
 */

import { LABS } from "./flow_api.js";
import { CannotCall } from "./protocol.js";
import { accountLabel } from "./seen.js";
import { askSession } from "../page/labs.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {{signedIn: boolean, account: string | null, moved: boolean, bearer: string | null, at: number}} Session */

/** A bearer lives about an hour (flow-wire §1.2). */
export const BEARER_LIFE_MS = 45 * 60_000;
const SHAPE = /^[\w.~+/-]{20,4096}=*$/;
/** @type {Session} */
const NOBODY = { signedIn: false, account: null, moved: false, bearer: null, at: 0 };

export class LabsSessions {
  /** @type {Map<string, Session>} By document. */
  #sessions = new Map();
  /** @type {Map<string, Promise<Session | null>>} */
  #asking = new Map();

  /**
   * What is known of this page, or what it says when asked.
   * @param {Page} page
   * @param {number} limitMs
   * @returns {Promise<Session | null>} Null if it does not say: it is asked again next time.
   */
  async known(page, limitMs) {
    return this.#sessions.get(page.seen.documentId) ?? this.#ask(page, limitMs);
  }

  /**
   * @param {Page} page
   * @param {number} limitMs
   * @param {{fresh?: boolean}} [how] `fresh`: the one before was refused.
   * @returns {Promise<string | null>} Null if nobody is signed in.
   * @throws {CannotCall} The page does not say.
   */
  async bearer(page, limitMs, { fresh = false } = {}) {
    const session = fresh ? null : await this.known(page, limitMs);
    if (session?.bearer && Date.now() - session.at < BEARER_LIFE_MS) return session.bearer;
    const asked = await this.#ask(page, limitMs);
    if (asked === null) throw new CannotCall("NO_FLOW_TAB", "the Flow tab does not say who is signed in");
    return asked.bearer;
  }

  /**
   * Whether the account that signs this page's calls now is the one that was seen in it.
   * @param {Page} page
   */
  sameAccount({ seen }) {
    const session = this.#sessions.get(seen.documentId);
    return session === undefined || !session.signedIn || session.account === seen.account;
  }

  /** @param {Page} page @param {number} limitMs @returns {Promise<Session | null>} */
  #ask(page, limitMs) {
    const id = page.seen.documentId;
    const asking =
      this.#asking.get(id) ?? this.#askNow(page, limitMs).finally(() => this.#asking.delete(id));
    this.#asking.set(id, asking);
    return asking;
  }

  /** @param {Page} page @param {number} limitMs @returns {Promise<Session | null>} */
  async #askNow(page, limitMs) {
    const told = await page.run(askSession, [limitMs], limitMs + 1000).catch(() => null);
    const session = await readSession(told, page.seen.simulated);
    if (session !== null) this.#sessions.set(page.seen.documentId, session);
    return session;
  }

  /**
   * A request of the page itself carries its bearer. Requests of others and of our own worker do not count.
   * @param {{initiator?: string, tabId: number, documentId?: string, requestHeaders?: {name: string, value?: string}[]}} request
   * @returns {boolean} Somebody has signed in since the page was asked.
   */
  notice({ initiator, tabId, documentId = "", requestHeaders = [] }) {
    if (initiator !== LABS || tabId < 0) return false;
    const header = requestHeaders.find(({ name }) => name.toLowerCase() === "authorization");
    const bearer = readBearer(header?.value?.replace(/^Bearer /, ""));
    const session = this.#sessions.get(documentId);
    if (bearer === null || session === undefined || session.bearer === bearer) return false;
    if (session.signedIn) Object.assign(session, { bearer, at: Date.now() });
    else this.#sessions.delete(documentId);
    return !session.signedIn;
  }

  /** @param {ReadonlySet<string>} documents The others are gone. */
  keepOnly(documents) {
    for (const id of this.#sessions.keys()) if (!documents.has(id)) this.#sessions.delete(id);
  }
}

/** @param {unknown} value */
function readBearer(value) {
  return typeof value === "string" && SHAPE.test(value) ? value : null;
}

/**
 * @param {unknown} told What page/labs.js returned: untrusted.
 * @param {boolean} simulated
 * @returns {Promise<Session | null>}
 */
async function readSession(told, simulated) {
  if (typeof told !== "object" || told === null) return null;
  const { fault, bearer: text, email, name } = /** @type {Record<string, unknown>} */ (told);
  if (fault === "MOVED") return { ...NOBODY, moved: true };
  if (fault !== undefined) return null;
  const bearer = readBearer(text);
  if (bearer === null) return { ...NOBODY };
  const account = await accountLabel(simulated ? name : email, simulated);
  return { signedIn: true, account, moved: false, bearer, at: Date.now() };
}
