// @ts-check
/** The panel's ends: who may listen, what they are told, at most every few frames. */

const COALESCE_MS = 40;

export class Panels {
  /** @type {Set<chrome.runtime.Port>} */
  #ports = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #read;

  /** @param {() => object} read The state of the moment. */
  constructor(read) {
    this.#read = read;
  }

  /**
   * @param {chrome.runtime.Port} port
   * @param {(message: any, reply: (message: object) => void) => Promise<void>} onCommand
   * @returns {boolean} False if it is none of our own pages: it is hung up on.
   */
  accept(port, onCommand) {
    const { sender } = port;
    const ours = chrome.runtime.getURL("ui/");
    if (port.name !== "panel" || sender?.id !== chrome.runtime.id || !sender?.url?.startsWith(ours)) {
      port.disconnect();
      return false;
    }
    this.#ports.add(port);
    port.onDisconnect.addListener(() => this.#ports.delete(port));
    port.onMessage.addListener((message) => {
      void onCommand(message, (reply) => this.#post(port, reply));
    });
    this.#post(port, { type: "state", state: this.#read() });
    return true;
  }

  /** Something may have changed: panels hear it soon, many changes at once. */
  changed() {
    if (this.#timer !== undefined || this.#ports.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const state = this.#read();
      for (const port of this.#ports) this.#post(port, { type: "state", state });
    }, COALESCE_MS);
  }

  /** @param {chrome.runtime.Port} port @param {object} message */
  #post(port, message) {
    try {
      port.postMessage(message);
    } catch {
      this.#ports.delete(port); // closed this very moment
    }
  }
}
