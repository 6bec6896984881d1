// @ts-check
/**
 * The journal of calls: ids, phases and whether each was paid, nothing else. Results live in memory only.
 *
 * It is in `storage.local`, so it outlives the worker and the browser. A phase is written before what it
 * announces happens: `sent` is there before the request leaves (docs/bridge-protocol.md, "The journal").
 */

/** @typedef {import("./protocol.js").Phase} Phase */
/** @typedef {import("./protocol.js").Standing} Standing */
/** @typedef {Phase | "void"} Stage `void`: it is certain that nothing left, and that nothing will. */
/** @typedef {{stage: Stage, paid: boolean, n: number}} Entry `n` grows: the newest change is the youngest. */
/**
 * @typedef {object} Area The part of chrome.storage that is used.
 * @property {(keys: null) => Promise<Record<string, any>>} get
 * @property {(items: Record<string, any>) => Promise<void>} set
 * @property {(keys: string[]) => Promise<void>} remove
 */

export const TOMBSTONES = 500;
/** What the list of open calls may take of a handshake frame, in bytes. */
export const OPEN_LIST_BYTES = 2500;
const PREFIX = "call:";
/** @type {ReadonlySet<unknown>} */
const STAGES = new Set(["accepted", "asking", "minting", "sent", "done", "acked", "void"]);
/** @type {ReadonlySet<Stage>} */
const NOTHING_LEFT = new Set(["accepted", "asking", "minting"]);
/** @type {(entry: Entry) => boolean} */
const ended = ({ stage }) => stage === "void" || stage === "acked";

export class Journal {
  /** @type {Map<string, Entry>} In the order of the last change. */
  #entries = new Map();
  #area;
  #n = 0;

  /** @param {Area} area */
  constructor(area) {
    this.#area = area;
  }

  /**
   * Begin a new life: what was accepted, asking or minting when the last one ended never left and never
   * will; results of free calls are gone and not missed.
   */
  async open() {
    const stored = await this.#area.get(null);
    const read = Object.entries(stored)
      .filter(([key, entry]) => key.startsWith(PREFIX) && isEntry(entry))
      .sort(([, a], [, b]) => a.n - b.n);
    /** @type {Record<string, Entry>} */
    const changed = {};
    for (const [key, { stage, paid, n }] of read) {
      const entry = { stage: afterDeath(stage, paid), paid, n };
      this.#entries.set(key.slice(PREFIX.length), entry);
      this.#n = Math.max(this.#n, n);
      if (entry.stage !== stage) changed[key] = entry;
    }
    if (Object.keys(changed).length > 0) await this.#area.set(changed);
    await this.#prune();
  }

  /**
   * Resolves when it is on disk.
   * @param {string} id
   * @param {Stage} stage
   * @param {boolean} paid
   */
  async write(id, stage, paid) {
    const entry = { stage, paid, n: ++this.#n };
    this.#entries.delete(id); // to the end
    this.#entries.set(id, entry);
    await this.#area.set({ [PREFIX + id]: entry });
    if (ended(entry)) await this.#prune();
  }

  /** @param {string} id */
  get(id) {
    return this.#entries.get(id);
  }

  /**
   * The answer to `lookup` for a call that is not running. An id never seen is void from now on:
   * `never_received` allows the server to send again under another id, so a late copy must not run.
   * @param {string} id
   * @returns {Promise<Standing>}
   */
  async standing(id) {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      await this.write(id, "void", false);
      return "never_received";
    }
    if (entry.stage === "void") return "never_received";
    return entry.stage === "sent" ? "sent_no_answer" : "answered";
  }

  /**
   * Calls without an ack: the newest, as many as fit in a handshake frame.
   * @returns {Record<string, Phase>}
   */
  openCalls() {
    /** @type {Record<string, Phase>} */
    const found = Object.create(null);
    let room = OPEN_LIST_BYTES;
    for (const [id, entry] of [...this.#entries].reverse()) {
      if (ended(entry)) continue;
      room -= new TextEncoder().encode(JSON.stringify(id)).length + entry.stage.length + 4;
      if (room < 0) break;
      found[id] = /** @type {Phase} */ (entry.stage);
    }
    return found;
  }

  /** Ids whose answer may still be held by a page: sent, or answered and paid. */
  recoverable() {
    return [...this.#entries]
      .filter(([, { stage, paid }]) => stage === "sent" || (stage === "done" && paid))
      .map(([id]) => id);
  }

  /** @returns {Record<string, number>} How many calls are in each stage. */
  counts() {
    /** @type {Record<string, number>} */
    const counts = {};
    for (const { stage } of this.#entries.values()) counts[stage] = (counts[stage] ?? 0) + 1;
    return counts;
  }

  /** Forget the oldest tombstones beyond 500, those of free calls first. */
  async #prune() {
    const tombstones = [...this.#entries].filter(([, entry]) => ended(entry));
    const over = tombstones.length - TOMBSTONES;
    if (over <= 0) return;
    tombstones.sort(([, a], [, b]) => Number(a.paid) - Number(b.paid)); // stable: by age within
    const gone = tombstones.slice(0, over).map(([id]) => id);
    for (const id of gone) this.#entries.delete(id);
    await this.#area.remove(gone.map((id) => PREFIX + id));
  }
}

/**
 * @param {Stage} stage
 * @param {boolean} paid
 * @returns {Stage}
 */
function afterDeath(stage, paid) {
  if (NOTHING_LEFT.has(stage)) return "void";
  return stage === "done" && !paid ? "acked" : stage;
}

/** @param {any} value */
function isEntry(value) {
  return (
    STAGES.has(value?.stage) && typeof value.paid === "boolean" && Number.isSafeInteger(value.n)
  );
}
