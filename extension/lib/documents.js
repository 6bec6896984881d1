// @ts-check
/** The documents that Flow's tabs show: the order in which they came, and which of them Flow no longer answers. */

import { superseded } from "./flow_words.js";

/** @typedef {import("./flow_words.js").Tab} Tab */

export class Documents {
  /** @type {string[]} In the order in which they were first seen. */
  #order = [];
  /** @type {Set<string>} */
  #outdated = new Set();
  /** How many there have been. */
  loads = 0;

  /** @returns {ReadonlySet<string>} Those of now. */
  get all() {
    return new Set(this.#order);
  }

  /** @param {string} id Flow has answered as if this one were of yesterday. @param {Tab[]} tabs */
  doubt(id, tabs) {
    this.#outdated.add(id);
    this.#mark(tabs);
  }

  /** @param {Tab[]} tabs Which of them are new, gone, or of an account that is signed in no more. */
  sort(tabs) {
    const pages = new Map(tabs.flatMap(({ seen }) => (seen ? [[seen.documentId, seen]] : [])));
    const there = new Set([...pages.keys(), ...tabs.flatMap(({ late }) => late ?? [])]);
    const fresh = [...pages.keys()].filter((id) => !this.#order.includes(id));
    this.loads += fresh.length;
    this.#order = [...this.#order.filter((id) => there.has(id)), ...fresh];
    for (const id of this.#outdated) if (!there.has(id)) this.#outdated.delete(id);
    for (const id of superseded(this.#order.flatMap((id) => pages.get(id) ?? []))) this.#outdated.add(id);
    this.#mark(tabs);
  }

  /** @param {Tab[]} tabs */
  #mark(tabs) {
    for (const tab of tabs) tab.outdated = tab.seen !== undefined && this.#outdated.has(tab.seen.documentId);
  }
}
