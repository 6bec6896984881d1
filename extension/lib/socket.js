// @ts-check
/** The link to FlowKit: connects, stays alive, comes back. What the messages mean is the business of others. */

import { Backoff } from "./backoff.js";
import { Closed, Frames, Silence } from "./frames.js";
import { Refused, refusedBy, refusedWith, shakeHands } from "./handshake.js";
import { parseCode, profileKey } from "./pairing.js";
import { CLOSE, Malformed, PATH, PING_EVERY_MS, SILENCE_LIMIT_MS, parseFromServer } from "./protocol.js";

/** @typedef {import("./keyring.js").Keyring} Keyring */
/** @typedef {{version: string, library: string, generation: number, simulated: boolean}} Server */
/**
 * @typedef {object} Ends
 * @property {() => string} instance
 * @property {() => {version: string, label: string, flow: import("./protocol.js").FlowState, journal: object}} about
 * @property {(message: Record<string, any> & {type: string}) => Promise<void>} message
 * @property {() => void} up After `welcome`.
 * @property {() => boolean} otherKind The server works with the other kind of Flow. True if that may be put right.
 * @property {() => void} changed
 */

const NO_SERVER = "Start your agent with the FlowKit server, or run flowkit-mcp worker.";

/** What we close with ourselves. @type {ReadonlySet<number>} */
const OUR_REASONS = new Set([CLOSE.STALE, CLOSE.NOT_PROVED, CLOSE.MALFORMED, CLOSE.VERSION]);

export class Link {
  #keys;
  #ends;
  #backoff = new Backoff();
  /** @type {Frames | null} */
  #frames = null;
  /** @type {WebSocket | null} */
  #up = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #running = false;
  /** Counts `renew`: an attempt that began before one is given up. */
  #epoch = 0;
  /** While it is not known whether the server took the code: the two ways of saying hello by turns. */
  #asPairing = false;
  /** The highest generation seen since pairing. */
  generation = 0;
  /** What we told the server of Flow. */
  simulated = false;
  /** For the panel. @type {{state: string, port: number | null, since: number, message: string, next_step: string, server: Server | null}} */
  view = { state: "unpaired", port: null, since: Date.now(), message: "", next_step: "", server: null };

  /**
   * @param {Keyring} keys
   * @param {Ends} ends
   */
  constructor(keys, ends) {
    this.#keys = keys;
    this.#ends = ends;
  }

  get connected() {
    return this.#up !== null;
  }

  /** Whether this profile is paired, for a panel that opens before the first attempt. */
  async open() {
    const { paired, pending } = await this.#keys.read();
    const known = pending ?? paired;
    if (known) this.#show("connecting", known.port, "", "");
  }

  /** @param {object} message What does not get through is asked for after the next handshake. */
  send(message) {
    if (this.#up?.readyState === WebSocket.OPEN) this.#up.send(JSON.stringify(message));
  }

  /** Connect unless that is under way. Safe to call at any time, by any event. */
  connect() {
    if (this.#running) return;
    this.#running = true;
    clearTimeout(this.#timer);
    this.#once()
      .catch((error) => {
        // Without its text, which could quote a frame.
        console.error("FlowKit: the link failed", error instanceof Error ? error.name : "");
        return true;
      })
      .then((again) => {
        this.#running = false;
        clearTimeout(this.#timer);
        if (again) this.#timer = setTimeout(() => this.connect(), this.#backoff.next());
      });
  }

  /** The person asks, or opens the panel: do not wait any longer. */
  hurry() {
    this.#backoff.reset();
    if (!this.#running) this.connect();
  }

  /** Drop the link and make a new one. */
  renew() {
    this.#backoff.reset();
    this.#epoch++;
    if (this.#running) this.#frames?.close(1000);
    else this.connect();
  }

  /**
   * @param {unknown} pasted
   * @returns {Promise<boolean>} False if it is no pairing code.
   */
  async pair(pasted) {
    const code = parseCode(pasted);
    if (code === null) return false;
    const key = await profileKey(code.secret, this.#ends.instance());
    code.secret.fill(0);
    await this.#replaceKeys({ pending: { key, port: code.port } });
    return true;
  }

  async unpair() {
    this.send({ type: "bye", code: "unpaired", message: "unpaired in the browser" });
    await this.#replaceKeys({ paired: null, pending: null });
    this.generation = 0;
  }

  /** @param {Parameters<Keyring["write"]>[0]} change What a handshake under way knows of keys is old from now on. */
  async #replaceKeys(change) {
    this.#epoch++;
    await this.#keys.write(change);
    this.renew();
  }

  /** @returns {Promise<boolean>} Whether to try again. */
  async #once() {
    const epoch = this.#epoch;
    const { paired, pending } = await this.#keys.read();
    if (epoch !== this.#epoch) return true; // what was read may be old
    const known = pending ?? paired;
    if (known === undefined) {
      const { message, next_step } = this.view.state === "unpaired" ? this.view : { message: "", next_step: "" };
      this.#show("unpaired", null, message, next_step);
      return false;
    }
    this.generation = pending ? 0 : (paired?.generation ?? 0);
    if (!["server_down", "refused", "standby"].includes(this.view.state) || pending) {
      this.#show("connecting", known.port, "", "");
    }
    const socket = new WebSocket(`ws://127.0.0.1:${known.port}${PATH}`);
    const frames = (this.#frames = new Frames(socket));
    try {
      await this.#live(socket, frames, known.port, { paired, pending }, epoch);
    } catch (error) {
      frames.close(closeCode(error));
      await this.#ended(error, known.port, pending !== undefined, paired?.unsure === true);
    } finally {
      this.#up = null;
      this.#ends.changed();
    }
    return true;
  }

  /**
   * @param {WebSocket} socket
   * @param {Frames} frames
   * @param {number} port
   * @param {import("./keyring.js").Keys} keys
   * @param {number} epoch
   * @returns {Promise<never>}
   */
  async #live(socket, frames, port, { paired, pending }, epoch) {
    const { key } = /** @type {{key: CryptoKey}} */ (pending ?? paired);
    const pairing = pending !== undefined || (paired?.unsure === true && this.#asPairing);
    const unsure = pending !== undefined || paired?.unsure === true;
    const about = this.#ends.about();
    this.simulated = about.flow.simulated;
    const { server, standby } = await shakeHands(frames, (message) => socket.send(JSON.stringify(message)), {
      instance: this.#ends.instance(),
      port,
      key,
      pairing,
      generation: this.generation,
      proved: async (generation) => {
        if (epoch !== this.#epoch) throw new Closed(1000, true);
        this.generation = generation;
        // Kept before our proof goes out: a browser that dies here can still come back.
        await this.#keys.write({ paired: { key, port, generation, unsure }, pending: null });
      },
      about: () => about,
    });
    if (epoch !== this.#epoch) throw new Closed(1000, true);
    if (unsure) {
      await this.#keys.write({ paired: { key, port, generation: this.generation, unsure: false } });
    }
    this.#up = socket;
    this.#backoff.reset();
    const known = { ...server, simulated: this.simulated };
    this.#show(standby ? "standby" : "connected", port, "", "", known);
    const pings = setInterval(() => this.send({ type: "ping", at: Date.now() }), PING_EVERY_MS);
    try {
      this.#ends.up();
      for (;;) {
        const message = parseFromServer(await frames.next(SILENCE_LIMIT_MS));
        if (message.type === "bye") throw refusedBy(message.code, message.message ?? "");
        if (message.type === "queue") this.#show("connected", port, "", "", known);
        if (message.type !== "pong") await this.#ends.message(message);
      }
    } finally {
      clearInterval(pings);
    }
  }

  /**
   * @param {unknown} error
   * @param {number} port
   * @param {boolean} pasted A code was pasted and not proved yet.
   * @param {boolean} unsure
   */
  async #ended(error, port, pasted, unsure) {
    if (error instanceof Closed && error.code === 1000) return; // on purpose: `renew`
    const refused =
      error instanceof Refused ? error
      : error instanceof Malformed ? refusedBy("malformed", "")
      : error instanceof Closed ? refusedWith(error.code)
      : null;
    if (refused === null) {
      const message = this.#up
        ? "The connection to FlowKit ended. This panel tries again by itself."
        : "Nothing answers there, or another program does. This panel tries again by itself.";
      this.#show("server_down", port, message, NO_SERVER);
      return;
    }
    if (refused.code === CLOSE.GOING_AWAY) {
      this.#show("server_down", port, refused.message, refused.nextStep);
      return;
    }
    if (refused.code === CLOSE.SIMULATED && this.#ends.otherKind()) return; // once more, at once enough
    if (refused.code === CLOSE.NOT_PROVED && pasted) {
      await this.#keys.write({ pending: null });
      const known = (await this.#keys.read()).paired !== undefined;
      this.#show(known ? "refused" : "unpaired", known ? port : null, "FlowKit did not take this code.",
        "Codes work once and for ten minutes: run flowkit-mcp pair again and paste the new one.");
      return;
    }
    if (refused.code !== CLOSE.NOT_PROVED || !unsure) this.#backoff.slow();
    else if ((this.#asPairing = !this.#asPairing)) return; // the other way to say hello is still to be tried
    this.#show(refused.code === CLOSE.REPLACED ? "standby" : "refused", port, refused.message, refused.nextStep);
  }

  /**
   * @param {string} state
   * @param {number | null} port
   * @param {string} message
   * @param {string} next_step
   * @param {Server | null} [server]
   */
  #show(state, port, message, next_step, server = null) {
    const since = state === this.view.state ? this.view.since : Date.now();
    this.view = { state, port, since, message, next_step, server };
    this.#ends.changed();
  }
}

/** @param {unknown} error */
function closeCode(error) {
  if (error instanceof Refused && OUR_REASONS.has(error.code)) return error.code;
  if (error instanceof Malformed) return CLOSE.MALFORMED;
  return error instanceof Silence ? CLOSE.TOO_SLOW : 1000;
}
