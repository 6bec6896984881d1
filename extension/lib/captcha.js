// @ts-check
/** Captcha tokens from the page's own reCAPTCHA: one at a time, right before the call, used once. */

import { PageFault, withinLimit } from "./inject.js";
import { CannotCall } from "./protocol.js";
import { readSeen } from "./seen.js";
import { lookAtPage } from "../page/look.js";
import { mintToken } from "../page/mint.js";

/** @typedef {import("./page.js").Page} Page */

/** Waiting for other mints included. */
export const MINT_LIMIT_MS = 40_000;
const LOOK_EVERY_MS = 1_500;
const LEAVING_MS = 500;

const WHY = Object.freeze({
  NO_GRECAPTCHA: ["this page of Flow has no captcha", "Open a project in the Flow tab."],
  CAPTCHA_TIMEOUT: ["the page gave no captcha token in time", "Look at the Flow tab: it may ask for a person."],
  CAPTCHA_FAILED: ["the page gave no captcha token", "Reload the Flow tab."],
});
/** @param {keyof typeof WHY} code */
const stop = (code) => new CannotCall(code, WHY[code][0], { nextStep: WHY[code][1] });

export class Captcha {
  /** @type {Promise<unknown>} The mint before this one. */
  #last = Promise.resolve();
  #onChallenge;

  /** @param {(shown: boolean) => void} onChallenge A check for a person came up, or went away. */
  constructor(onChallenge) {
    this.#onChallenge = onChallenge;
  }

  /**
   * @param {Page} page
   * @param {string} action
   * @returns {Promise<string>}
   * @throws {CannotCall} Nothing has left.
   */
  async mint(page, action) {
    const until = Date.now() + MINT_LIMIT_MS;
    const before = this.#last;
    const mint = before.then(() => {
      const left = until - Date.now();
      if (left <= 0) throw stop("CAPTCHA_TIMEOUT");
      return this.#mintNow(page, action, left);
    });
    this.#last = mint.catch(() => {});
    return withinLimit(mint, MINT_LIMIT_MS, stop("CAPTCHA_TIMEOUT"));
  }

  /**
   * @param {Page} page
   * @param {string} action
   * @param {number} limitMs
   */
  async #mintNow(page, action, limitMs) {
    const watch = setInterval(() => this.#watch(page), LOOK_EVERY_MS);
    try {
      const value = await page.run(mintToken, [action, limitMs], limitMs);
      try {
        return readToken(value);
      } catch (error) {
        // A page that is being left fails whatever it was loading, the captcha's own request first.
        if (await this.#left(page)) throw new CannotCall("NO_FLOW_TAB", "the Flow tab was closed or reloaded");
        throw error;
      }
    } catch (error) {
      if (error instanceof PageFault) {
        throw error.why === "late"
          ? stop("CAPTCHA_TIMEOUT")
          : new CannotCall("NO_FLOW_TAB", "the Flow tab was closed or reloaded");
      }
      throw error;
    } finally {
      clearInterval(watch);
      this.#onChallenge(false);
    }
  }

  /**
   * @param {Page} page
   * @returns {Promise<boolean>} Whether this document is gone, or going.
   */
  async #left(page) {
    await new Promise((done) => setTimeout(done, LEAVING_MS));
    return page.run(lookAtPage, [], LOOK_EVERY_MS).then((value) => value === null, () => true);
  }

  /** @param {Page} page */
  async #watch(page) {
    const value = await page.run(lookAtPage, [], LOOK_EVERY_MS).catch(() => null);
    const seen = await readSeen(value, page.seen.documentId);
    if (seen) this.#onChallenge(seen.challenge);
  }
}

/** @param {unknown} value What page/mint.js returned: untrusted. */
function readToken(value) {
  const { token, fault } = /** @type {Record<string, unknown>} */ (value ?? {});
  if (typeof token === "string" && token.length > 0 && token.length <= 16384) return token;
  if (value === null) throw new CannotCall("NO_FLOW_TAB", "the Flow tab was reloaded");
  throw stop(fault === "NO_GRECAPTCHA" || fault === "CAPTCHA_TIMEOUT" ? fault : "CAPTCHA_FAILED");
}
