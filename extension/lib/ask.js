// @ts-check
/**
 * Paid calls that wait for the person's word: because they want to be asked before each, or because another account
 * is signed in than that of the last paid work. In memory: with the worker they end, unsent.
 */

import { ASKING_LIMIT_MS } from "./protocol.js";

/** @typedef {{now: string, before: string}} Accounts Two labels: who is signed in, who paid last. */
/**
 * @typedef {object} Approval
 * @property {string} id
 * @property {string} name
 * @property {string} what
 * @property {number} credits
 * @property {number} since
 * @property {Accounts | null} account Why it is asked, if that is the account.
 * @property {boolean} always It would be asked whatever the account.
 */
/** @typedef {"yes"|"no"|"moot"} Word `moot`: there is nothing to ask about any more. */
/** @typedef {Approval & {settle: (word: Word) => void}} Waiting */

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
   * @returns {Promise<Word>} Also a no: no word within ten minutes.
   */
  async ask(approval) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      return await new Promise((settle) => {
        timer = setTimeout(() => settle("no"), ASKING_LIMIT_MS);
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
    waiting?.settle(yes ? "yes" : "no");
    return waiting !== undefined;
  }

  /**
   * The account is settled: calls that wait only for that wait no more.
   * @param {string | null} other The one that is still to be asked about, if any.
   */
  accountSettled(other) {
    for (const { account, always, settle } of this.#waiting.values()) {
      if (!always && account && account.now !== other) settle("moot");
    }
  }

  /** @returns {Approval[]} The longest waiting first. */
  list() {
    return [...this.#waiting.values()].map(({ settle, ...approval }) => approval);
  }
}
