// @ts-check
/**
 * Calls from FlowKit: each runs at most once, whatever is lost or killed meanwhile (docs/bridge-protocol.md,
 * "The journal, and nothing twice").
 */

import { callInWords, check } from "./flow_api.js";
import { CannotCall, errorResult } from "./protocol.js";
import { readAnswer, resultOf } from "./lanes/answer.js";

/** @typedef {import("./protocol.js").Call} Call */
/** @typedef {import("./protocol.js").Phase} Phase */
/** @typedef {import("./protocol.js").Result} Result */
/** @typedef {import("./flow_api.js").Row} Row */
/** @typedef {import("./lanes/answer.js").Answer} Answer */
/**
 * @typedef {object} Running
 * @property {string} id
 * @property {Call | null} call Null for one that an earlier worker sent.
 * @property {boolean} paid
 * @property {Phase} phase
 * @property {number} since
 * @property {(why: CannotCall) => void} stop Ends it before it is sent.
 * @property {CannotCall | null} stopped
 * @property {boolean} givenUp Acked while still running: nobody wants the result any more.
 */
/**
 * @typedef {object} World
 * @property {import("./journal.js").Journal} journal
 * @property {(message: object) => void} send
 * @property {() => number} generation The highest seen.
 * @property {() => boolean} paused
 * @property {() => boolean} ask Whether the person wants to be asked before paid calls.
 * @property {() => import("./ask.js").Accounts | null} otherAccount Another account is signed in than that of the last paid work.
 * @property {(account: string) => void} useAccount The person says that this one is right.
 * @property {import("./ask.js").Approvals} approvals
 * @property {(call: Call, row: Row, reach: (phase: "minting" | "sent") => Promise<void>) => Promise<Answer>} perform
 * @property {(id: string) => Promise<unknown>} recall What a page keeps of a call; null if none does.
 * @property {(id: string) => void} forget Let pages drop it.
 * @property {(call: Call, answer: Answer | null, error: CannotCall | null, ms: number) => void} ended
 * @property {() => void} changed
 */

/** Results of free calls that nobody has acked; the oldest go first. In characters. */
const FREE_RESULTS_HELD = 64 * 1024 * 1024;
/** @type {ReadonlySet<Phase>} */
const BEFORE_SENT = new Set(["accepted", "asking", "minting"]);

export class Calls {
  /** @type {Map<string, Running>} */
  #running = new Map();
  /** @type {Map<string, {result: Result, paid: boolean}>} Answered, not acked. */
  #held = new Map();
  #world;

  /** @param {World} world */
  constructor(world) {
    this.#world = world;
  }

  /** For the panel, the oldest first. */
  get list() {
    return [...this.#running.values()].map(({ id, call, phase, paid, since }) => ({
      id,
      name: call?.name ?? "",
      what: call ? callInWords(call) : "a call made earlier",
      phase,
      paid,
      credits: call?.credits ?? 0,
      since,
    }));
  }

  /**
   * Accept a call, or answer at once. The same id never runs twice.
   * @param {Call} call
   */
  async take(call) {
    const { journal, send } = this.#world;
    const { id, paid } = call;
    if (this.#running.has(id)) return; // its result follows
    if (this.#held.has(id) || journal.get(id) !== undefined) return this.resend(id);
    let row;
    try {
      this.#mayRun(call);
      row = check(call);
    } catch (error) {
      this.#refuse(call, error);
      return;
    }
    /** @type {Running} */
    const running = { id, call, paid, phase: "accepted", since: Date.now(), stop: () => {}, stopped: null, givenUp: false };
    this.#running.set(id, running);
    try {
      await journal.write(id, "accepted", paid);
    } catch {
      this.#running.delete(id);
      this.#refuse(call, new CannotCall("LOST", "the browser cannot write its journal"));
      return;
    }
    send({ type: "phase", id, phase: "accepted" });
    void this.#make(running, call, row);
  }

  /** @param {Call} call */
  #mayRun({ generation, paid }) {
    if (generation < this.#world.generation()) {
      throw new CannotCall("STALE_GENERATION", "a newer FlowKit has taken over");
    }
    if (paid && this.#world.paused()) throw paused();
  }

  /** @param {Call} call @param {unknown} error */
  #refuse(call, error) {
    const refusal = error instanceof CannotCall ? error : new CannotCall("BAD_ARGUMENTS", "it cannot be read");
    this.#world.send(errorResult(call.id, refusal.code, refusal.message, false));
    this.#world.ended(call, null, refusal, 0);
  }

  /**
   * @param {Running} running
   * @param {Call} call
   * @param {Row} row
   */
  async #make(running, call, row) {
    const { id, paid } = call;
    /** @type {Promise<never>} */
    const stopped = new Promise((_, reject) => {
      running.stop = (why) => {
        running.stopped = why;
        reject(why);
      };
    });
    stopped.catch(() => {});
    /** @type {Answer | null} */
    let answer = null;
    let failure = null;
    try {
      answer = await Promise.race([this.#perform(running, call, row), stopped]);
      await this.#world.journal.write(id, "done", paid).catch(() => {}); // the answer itself is what counts now
      this.#world.send({ type: "phase", id, phase: "done" });
    } catch (error) {
      failure = this.#failureOf(error, running);
      if (!failure.sent) await this.#world.journal.write(id, "void", paid).catch(() => {});
    }
    const result = answer
      ? resultOf(id, answer)
      : errorResult(id, failure?.code ?? "LOST", failure?.message ?? "", failure?.sent ?? true);
    this.#world.ended(call, answer, failure, Date.now() - running.since);
    this.#finish(running, result);
  }

  /** @param {unknown} error @param {Running} running */
  #failureOf(error, running) {
    if (error instanceof CannotCall) return error;
    // A bug of ours, or a disk that is full: before `sent` nothing has left, after it nobody knows.
    console.error("FlowKit: a call failed", error instanceof Error ? error.name : "");
    return new CannotCall("LOST", "the extension failed", { sent: !BEFORE_SENT.has(running.phase) });
  }

  /**
   * @param {Running} running
   * @param {Call} call
   * @param {Row} row
   */
  async #perform(running, call, row) {
    const { ask, otherAccount, useAccount, approvals, perform } = this.#world;
    const account = call.paid ? otherAccount() : null;
    if (call.paid && (ask() || account)) {
      await this.#reach(running, "asking");
      if (running.stopped) throw running.stopped; // nobody would take the question down again
      const { id, name, credits } = call;
      const word = await approvals.ask({ id, name, what: callInWords(call), credits, since: Date.now(), account, always: ask() });
      if (word === "no") throw new CannotCall("REFUSED_BY_PERSON", "the person did not allow this call");
      if (word === "yes" && account) useAccount(account.now);
    }
    return perform(call, row, (phase) => this.#reach(running, phase));
  }

  /**
   * Write the phase down, then announce it. From `sent` on a call can no longer be stopped.
   * @param {Running} running
   * @param {Phase} phase
   */
  async #reach(running, phase) {
    if (running.stopped) throw running.stopped;
    if (phase === "sent" && running.paid && this.#world.paused()) throw paused();
    const before = running.phase;
    running.phase = phase;
    try {
      await this.#world.journal.write(running.id, phase, running.paid);
    } catch {
      running.phase = before;
      throw new CannotCall("LOST", "the browser cannot write its journal");
    }
    if (running.stopped) throw running.stopped; // while it was being written
    this.#world.send({ type: "phase", id: running.id, phase });
    this.#world.changed();
  }

  /** @param {Running} running @param {Result} result */
  #finish(running, result) {
    this.#running.delete(running.id);
    this.#held.set(running.id, { result, paid: running.paid });
    if (running.givenUp) this.#drop(running.id);
    this.#makeRoom();
    this.#world.send(result);
    this.#world.changed();
  }

  /**
   * After the worker was stopped: pages keep the answers of what it had sent. Nothing is sent again.
   * @returns {Promise<unknown>} When each has been found or is known to be lost.
   */
  recover() {
    return Promise.all(this.#world.journal.recoverable().map((id) => this.#recoverOne(id)));
  }

  /** @param {string} id */
  async #recoverOne(id) {
    const { journal, recall, send, changed } = this.#world;
    const entry = journal.get(id);
    if (entry === undefined) return;
    /** @type {Running} */
    const running = { id, call: null, paid: entry.paid, phase: "sent", since: Date.now(), stop: () => {}, stopped: null, givenUp: false };
    this.#running.set(id, running);
    changed();
    const kept = await recall(id).catch(() => null);
    try {
      if (kept === null) throw new CannotCall("LOST", "the page it was sent from is gone", { sent: true });
      const answer = readAnswer(kept);
      await journal.write(id, "done", entry.paid).catch(() => {});
      this.#finish(running, resultOf(id, answer));
    } catch (error) {
      this.#running.delete(id);
      const { code, message } = this.#failureOf(error, running);
      if (running.givenUp) this.#drop(id);
      else send(errorResult(id, code, message, true));
      changed();
    }
  }

  /** @param {string} id */
  async lookup(id) {
    if (this.#running.has(id)) {
      this.#world.send({ type: "found", id, standing: "in_flight" });
      return;
    }
    const standing = await this.#world.journal.standing(id);
    this.#world.send({ type: "found", id, standing, result: this.#held.get(id)?.result });
  }

  /** @param {string} id */
  resend(id) {
    if (this.#running.has(id)) return; // its result follows
    const sent = this.#world.journal.get(id)?.stage !== "void";
    const duplicate = errorResult(id, "DUPLICATE", "this id has been used", sent);
    this.#world.send(this.#held.get(id)?.result ?? duplicate);
  }

  /** @param {string} id The server has the result, or wants it no more. */
  ack(id) {
    const running = this.#running.get(id);
    if (running) running.givenUp = true;
    else this.#drop(id);
  }

  /** @param {string} id The server takes it back, if nothing of it has left. */
  withdraw(id) {
    const running = this.#running.get(id);
    if (!running?.call || running.stopped || !BEFORE_SENT.has(running.phase)) return;
    running.stop(new CannotCall("WITHDRAWN", "FlowKit took the call back"));
    this.#world.approvals.answer(id, false);
  }

  /** @param {string} id No result is held any more, a tombstone stays. */
  #drop(id) {
    this.#held.delete(id);
    this.#world.forget(id);
    const entry = this.#world.journal.get(id);
    if (entry && entry.stage !== "void" && entry.stage !== "acked") {
      this.#world.journal.write(id, "acked", entry.paid).catch(() => {}); // the next ack does it
    }
  }

  /** Free results without an ack (their server died) do not pile up; paid ones are small and stay. */
  #makeRoom() {
    const free = [...this.#held].filter(([, { paid }]) => !paid);
    let size = free.reduce((sum, [, { result }]) => sum + (result.body?.length ?? 0), 0);
    for (const [id, { result }] of free.slice(0, -1)) {
      if (size <= FREE_RESULTS_HELD) return;
      size -= result.body?.length ?? 0;
      this.#drop(id);
    }
  }
}

function paused() {
  return new CannotCall("PAUSED", "the person pressed pause", { nextStep: "Press “Resume” in the panel." });
}
