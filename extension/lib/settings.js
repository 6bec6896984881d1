// @ts-check
/** What this profile remembers besides its key and its journal. Nothing of it is secret. */

import { randomHex } from "./pairing.js";

const NAMES = /** @type {const} */ (["instance", "label", "paused", "ask", "account", "simulated"]);

export class Settings {
  /** Random id of this browser profile, made once. */
  instance = "";
  /** The name the person gives it. */
  label = "";
  paused = false;
  ask = false;
  /** Label of the account that last worked. @type {string | null} */
  account = null;
  /** Flow was the simulator's when last seen. */
  simulated = false;
  #area;

  /** @param {import("./journal.js").Area & {get: (keys: any) => Promise<Record<string, any>>}} area */
  constructor(area) {
    this.#area = area;
  }

  async open() {
    const stored = await this.#area.get([...NAMES]);
    if (/^[0-9a-f]{32}$/.test(stored.instance)) this.instance = stored.instance;
    else await this.save({ instance: randomHex(16) });
    this.label = typeof stored.label === "string" ? stored.label : `browser ${this.instance.slice(0, 4)}`;
    this.paused = stored.paused === true;
    this.ask = stored.ask === true;
    this.account = typeof stored.account === "string" ? stored.account : null;
    this.simulated = stored.simulated === true;
  }

  /** @param {Partial<Pick<Settings, typeof NAMES[number]>>} change */
  async save(change) {
    Object.assign(this, change);
    await this.#area.set(change);
  }
}
