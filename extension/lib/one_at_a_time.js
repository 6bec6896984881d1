// @ts-check
/** Work of which one run is under way at most. */

export class OneAtATime {
  #work;
  /** @type {Promise<void> | null} */
  #now = null;
  /** @type {Promise<void> | null} */
  #next = null;

  /** @param {() => Promise<void>} work */
  constructor(work) {
    this.#work = work;
  }

  /** Run it. All who ask while it runs share the one run after that, since what they want seen may be newer. */
  run() {
    if (!this.#now) return (this.#now = this.#work().finally(() => (this.#now = null)));
    return (this.#next ??= this.#now.catch(() => {}).then(() => {
      this.#next = null;
      return this.run();
    }));
  }
}
