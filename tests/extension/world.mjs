/** What the tests of the extension's modules share: a storage area, a server's end, a Flow that answers. */

import { Approvals } from "../../extension/lib/ask.js";
import { Calls } from "../../extension/lib/calls.js";
import { Journal } from "../../extension/lib/journal.js";
import { proof } from "../../extension/lib/pairing.js";
import { PROTOCOL } from "../../extension/lib/protocol.js";

export const INSTANCE = "a".repeat(32);
export const PORT = 4781;
const NONCE = "1".repeat(64);

/** What a server that knows the key answers to `hello`. */
export async function challenge(hello, key, { generation = 3, side = "srv", port = PORT, instance = INSTANCE, protocol = PROTOCOL } = {}) {
  const about = { port, instance, extNonce: hello.nonce, srvNonce: NONCE, generation };
  return JSON.stringify({ type: "challenge", protocol, nonce: NONCE, generation, proof: await proof(key, side, about) });
}

/** chrome.storage, as far as it is used; `items` survives what uses it. */
export class Area {
  /** @param {Record<string, any>} [items] */
  constructor(items = {}) {
    this.items = items;
    /** Set to make writing fail. */
    this.full = false;
    /** Every write, in order. */
    this.writes = [];
  }
  async get() {
    return structuredClone(this.items);
  }
  async set(items) {
    if (this.full) throw new Error("disk full");
    this.writes.push(structuredClone(items));
    Object.assign(this.items, structuredClone(items));
  }
  async remove(keys) {
    for (const key of keys) delete this.items[key];
  }
}

/** A promise that is settled from outside. */
export function gate() {
  let open = () => {};
  let fail = () => {};
  const passed = new Promise((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { passed, open, fail };
}

export const CREDITS = { rpc: "nzlxg", args: [] };
export const ANSWER = { status: 200, type: "application/json", retryAfter: "", body: "[]", redirected: false };

export function call(id, more = {}) {
  return {
    type: "call", id, generation: 1, lane: "batchexecute", name: "account.credits", args: CREDITS,
    paid: false, credits: 0, timeout_s: 5, ...more,
  };
}

export function paidCall(id, more = {}) {
  const args = { rpc: "ogiZ0b", args: ["$RECAPTCHA"], source_path: "/project/p" };
  return call(id, { name: "image.generate", args, captcha: "IMAGE_GENERATION", paid: true, credits: 5, ...more });
}

/** One life of the worker over a storage area. `executions` are the requests that really left. */
export async function life(area = new Area()) {
  const journal = new Journal(area);
  await journal.open();
  const world = {
    area,
    journal,
    sent: [],
    executions: [],
    kept: new Map(),
    forgotten: [],
    paused: false,
    ask: false,
    otherAccount: null, // {now, before} while another account is signed in than the last work's
    allowed: [], // accounts that the person has said yes to
    generation: 1,
    minting: null, // a gate that minting waits at
    recalling: null, // what looking at the pages waits for
    answering: null, // a gate that Flow waits at before it answers
    approvals: new Approvals(() => {}),
    types: () => world.sent.map(({ type }) => type),
    result: (id) => world.sent.findLast((message) => message.type === "result" && message.id === id),
    phases: (id) => world.sent.filter((one) => one.type === "phase" && one.id === id).map(({ phase }) => phase),
    async until(what) {
      for (let turn = 0; turn < 500; turn++) {
        const found = what();
        if (found) return found;
        await new Promise((resolve) => setImmediate(resolve));
      }
      throw new Error("it never came to be");
    },
  };
  world.calls = new Calls({
    journal,
    send: (message) => world.sent.push(message),
    generation: () => world.generation,
    paused: () => world.paused,
    ask: () => world.ask,
    otherAccount: () => world.otherAccount,
    useAccount: (account) => world.allowed.push(account),
    approvals: world.approvals,
    async perform({ id, captcha }, _row, reach) {
      if (captcha) {
        await reach("minting");
        await world.minting?.passed;
      }
      await reach("sent");
      world.executions.push(id);
      await world.answering?.passed;
      return ANSWER;
    },
    async recall(id) {
      await world.recalling;
      return (await world.kept.get(id)) ?? null;
    },
    forget: (id) => world.forgotten.push(id),
    ended: () => {},
    changed: () => {},
  });
  return world;
}
