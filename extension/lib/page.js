// @ts-check

import { runInPage } from "./inject.js";

/** @typedef {import("./seen.js").Seen} Seen */

/** One document in one tab, to run a call in. */
export class Page {
  /**
   * @param {number} tabId
   * @param {Seen} seen
   */
  constructor(tabId, seen) {
    this.tabId = tabId;
    this.seen = seen;
  }

  /**
   * @template {any[]} A
   * @param {(...args: A) => unknown} func
   * @param {A} args
   * @param {number} limitMs
   */
  async run(func, args, limitMs) {
    const place = { tabId: this.tabId, documentId: this.seen.documentId };
    return (await runInPage(place, func, args, limitMs)).value;
  }
}
