// @ts-check
/**
 * Where redirects of labs.google lead. A page is not told that of a redirect it does not follow, and following
 * it would load the media; the browser tells us (webRequest). Addresses are signed: they are in no log.
 */

/** @typedef {{leadsTo: (waitMs: number) => Promise<string | null>, forget: () => void}} Expected */
/** @typedef {{tabId: number, url: string, found: (to: string) => void}} Waiting */

const LONGEST = 8192;

export class Redirects {
  /** @type {Set<Waiting>} */
  #waiting = new Set();

  /**
   * Call it before the request is made.
   * @param {number} tabId
   * @param {string} url
   * @returns {Expected}
   */
  expect(tabId, url) {
    /** @type {Waiting["found"]} */
    let found = () => {};
    /** @type {Promise<string>} */
    const target = new Promise((resolve) => (found = resolve));
    const waiting = { tabId, url, found };
    this.#waiting.add(waiting);
    return {
      leadsTo: (waitMs) =>
        Promise.race([target, new Promise((resolve) => setTimeout(() => resolve(null), waitMs))]),
      forget: () => this.#waiting.delete(waiting),
    };
  }

  /** @param {{tabId: number, url: string, redirectUrl: string}} details From chrome.webRequest. */
  notice({ tabId, url, redirectUrl }) {
    if (redirectUrl.length > LONGEST) return;
    for (const one of this.#waiting) if (one.tabId === tabId && one.url === url) one.found(redirectUrl);
  }
}
