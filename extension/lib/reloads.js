// @ts-check
/** Loading a Flow tab anew by ourselves: rarely, and never in the way of the person or of work under way. */

import { reloadPage } from "../page/reload.js";

/** @typedef {import("./page.js").Page} Page */

const AGAIN_MS = 60_000;
const LIMIT_MS = 2_000;

export class Reloads {
  /** @type {Map<number, number>} When a tab was last reloaded by us. */
  #last = new Map();
  /** @type {Map<string, number>} Calls under way, by document. */
  #busy = new Map();
  /** Documents that are to be loaded anew when nothing is under way in them any more. @type {Set<string>} */
  #wanted = new Set();

  /**
   * While `work` runs in this document it is not loaded anew.
   * @template T
   * @param {Page} page
   * @param {() => Promise<T>} work
   */
  async during(page, work) {
    const id = page.seen.documentId;
    this.#busy.set(id, (this.#busy.get(id) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = (this.#busy.get(id) ?? 1) - 1;
      if (left > 0) this.#busy.set(id, left);
      else this.#busy.delete(id);
      if (left <= 0 && this.#wanted.delete(id)) void this.reload(page);
    }
  }

  /**
   * Load this page anew, once nothing is under way in it, at most once a minute in a tab. A tab that is loading is left
   * alone: the person may be going elsewhere. So is one that shows another page by now; hence the page itself does it.
   * @param {Page} page
   * @returns {Promise<boolean>} Whether its tab is now about to show another page.
   */
  async reload(page) {
    const tab = await chrome.tabs.get(page.tabId).catch(() => null);
    if (tab?.status === "loading") return true;
    const { documentId } = page.seen;
    if (this.#busy.has(documentId)) {
      this.#wanted.add(documentId);
      return false;
    }
    if (Date.now() - (this.#last.get(page.tabId) ?? 0) <= AGAIN_MS) return false;
    this.#last.set(page.tabId, Date.now());
    await page.run(reloadPage, [], LIMIT_MS).catch(() => {});
    return true;
  }
}
