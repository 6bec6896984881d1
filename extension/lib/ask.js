// @ts-check
/** “Ask me before paid calls”: calls that wait for the person's word. In memory: with the worker they end, unsent. */

import { ASKING_LIMIT_MS } from "./protocol.js";

/** @typedef {{id: string, name: string, what: string, credits: number, since: number}} Approval */
/** @typedef {Approval & {settle: (yes: boolean) => void}} Waiting */

export class Approvals {
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /**
   * @param {Approval} approval
   * @returns {Promise<boolean>} False for a no, and for no word within ten minutes.
   */
  async ask(approval) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      return await new Promise((settle) => {
        timer = setTimeout(() => settle(false), ASKING_LIMIT_MS);
        this.#waiting.set(approval.id, { ...approval, settle });
        this.#changed();
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(approval.id);
      this.#changed();
    }
  }

  /**
   * @param {unknown} id
   * @param {boolean} yes
   * @returns {boolean} Whether such a call was waiting.
   */
  answer(id, yes) {
    const waiting = typeof id === "string" ? this.#waiting.get(id) : undefined;
    waiting?.settle(yes);
    return waiting !== undefined;
  }

  /** @returns {Approval[]} The longest waiting first. */
  list() {
    return [...this.#waiting.values()].map(({ settle, ...approval }) => approval);
  }
}
