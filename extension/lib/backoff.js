// @ts-check
/** How long to wait before the next attempt: 0.5 s doubling to 15 s, with jitter on the upper half. */

export const SHORTEST_MS = 500;
export const LONGEST_MS = 15_000;

export class Backoff {
  #next = SHORTEST_MS;
  #random;

  /** @param {() => number} [random] 0 ≤ x < 1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** @returns {number} Milliseconds to wait now; the next wait is up to twice as long. */
  next() {
    const most = this.#next;
    this.#next = Math.min(LONGEST_MS, most * 2);
    return most / 2 + (this.#random() * most) / 2;
  }

  /** It worked, or a person asks: start again with the shortest. */
  reset() {
    this.#next = SHORTEST_MS;
  }

  /** Waiting soon would change nothing: go on with the longest. */
  slow() {
    this.#next = LONGEST_MS;
  }
}
