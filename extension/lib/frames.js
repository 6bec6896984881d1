// @ts-check
/** The frames of one WebSocket, one after the other. */

import { withinLimit } from "./inject.js";

/** The socket has ended. `code` as in its close frame; 1006 if there was none. */
export class Closed extends Error {
  /** @param {number} code @param {boolean} opened */
  constructor(code, opened) {
    super(`closed (${code})`);
    this.code = code;
    this.opened = opened;
  }
}

/** Nothing came in time. */
export class Silence extends Error {}

export class Frames {
  /** @type {unknown[]} */
  #queue = [];
  /** @type {Closed | null} */
  #closed = null;
  /** @type {(() => void) | null} */
  #wake = null;
  #opened = false;
  #socket;

  /** @param {WebSocket} socket Fresh: nothing has come yet. */
  constructor(socket) {
    this.#socket = socket;
    socket.onopen = () => {
      this.#opened = true;
      this.#push("open");
    };
    socket.onmessage = ({ data }) => this.#push(data);
    socket.onclose = ({ code }) => {
      this.#closed = new Closed(code, this.#opened);
      this.#wake?.();
    };
  }

  /** @param {unknown} frame */
  #push(frame) {
    this.#queue.push(frame);
    this.#wake?.();
  }

  /**
   * @param {number} limitMs
   * @returns {Promise<unknown>} The first is the word `open`.
   * @throws {Closed | Silence}
   */
  async next(limitMs) {
    if (this.#queue.length === 0 && this.#closed === null) {
      const arrival = new Promise((resolve) => (this.#wake = () => resolve(undefined)));
      await withinLimit(arrival, limitMs, new Silence());
      this.#wake = null;
    }
    if (this.#queue.length > 0) return this.#queue.shift();
    throw this.#closed ?? new Silence();
  }

  /** @param {number} code */
  close(code) {
    this.#socket.close(code);
    this.#closed ??= new Closed(code, this.#opened);
    this.#wake?.();
  }
}
