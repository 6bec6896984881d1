// @ts-check
/** What was asked of Flow lately, for the person: names and outcomes, never a token, a prompt or an address. */

/** @typedef {{at: number, name: string, what: string, outcome: string, credits: number, ms: number}} Line */
/** @typedef {{get: (key: string) => Promise<Record<string, any>>, set: (items: Record<string, any>) => Promise<void>}} Area */

const MOST = 100;

export class CallLog {
  /** @type {Line[]} Newest first. */
  lines = [];
  #area;

  /** @param {Area} area `storage.session`: it ends with the browser. */
  constructor(area) {
    this.#area = area;
  }

  async open() {
    const { log } = await this.#area.get("log");
    if (Array.isArray(log)) this.lines = [...this.lines, ...log].slice(0, MOST);
  }

  /** @param {Line} line */
  add(line) {
    this.lines = [line, ...this.lines].slice(0, MOST);
    this.#keep();
  }

  clear() {
    this.lines = [];
    this.#keep();
  }

  #keep() {
    this.#area.set({ log: this.lines }).catch(() => {}); // nothing depends on it
  }
}
