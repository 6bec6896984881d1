import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { profileKey } from "../../extension/lib/pairing.js";
import { Link } from "../../extension/lib/socket.js";
import { INSTANCE, PORT, challenge, gate } from "./world.mjs";

/** The sockets that were opened, the last one last. */
let sockets = [];

class Socket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  constructor() {
    sockets.push(this);
    queueMicrotask(() => this.onopen());
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close(code) {
    this.readyState = 3;
    queueMicrotask(() => this.onclose({ code }));
  }
  hear(text) {
    this.onmessage({ data: text });
  }
}

class Keys {
  kept = {};
  /** What writing waits for. */
  slow = Promise.resolve();
  writes = 0;
  async read() {
    return { ...this.kept };
  }
  async write(change) {
    this.writes++;
    await this.slow;
    for (const [name, value] of Object.entries(change)) {
      if (value === null) delete this.kept[name];
      else this.kept[name] = value;
    }
  }
}

async function until(true_) {
  while (!true_()) await new Promise((resolve) => setTimeout(resolve, 1));
}

beforeEach(() => {
  sockets = [];
  globalThis.WebSocket = Socket;
});
afterEach(() => delete globalThis.WebSocket);

/** A profile that has paired before. */
async function paired(unsure = false) {
  const keys = new Keys();
  const key = await profileKey(new Uint8Array(32).fill(7), INSTANCE);
  keys.kept.paired = { key, port: PORT, generation: 3, unsure };
  return { keys, key, link: linkOf(keys) };
}

function linkOf(keys) {
  return new Link(keys, {
    instance: () => INSTANCE,
    about: () => ({ version: "1", label: "l", flow: { tab: "none", signed_in: false, simulated: false, page_loads: 0 }, journal: {} }),
    message: async () => {},
    up() {},
    otherKind: () => false,
    changed() {},
  });
}

/** It says hello, and the server has not answered yet. */
async function greeting(unsure = false) {
  const { keys, key, link } = await paired(unsure);
  link.connect();
  await until(() => sockets[0]?.sent.length === 1);
  return { link, keys, answer: await challenge(sockets[0].sent[0], key) };
}

test("a paired profile is not called unpaired before its first attempt to connect", async () => {
  const { link } = await paired();
  await link.open();
  assert.equal(link.view.state, "connecting");
  const other = linkOf(new Keys());
  await other.open();
  assert.equal(other.view.state, "unpaired");
});

test("unpaired in the middle of a handshake, the profile stays unpaired", async () => {
  const { link, keys, answer } = await greeting();
  const writing = gate();
  keys.slow = writing.passed;
  const unpaired = link.unpair();
  await until(() => keys.writes === 1);
  keys.slow = Promise.resolve();
  sockets[0].hear(answer); // before the keys are gone
  await until(() => sockets[0].readyState === 3);
  writing.open();
  await unpaired;
  await until(() => link.view.state === "unpaired");
  assert.deepEqual(keys.kept, {});
  assert.deepEqual(sockets.flatMap(({ sent }) => sent.map(({ type }) => type)).filter((type) => type === "proof"), []);
});

test("a code pasted in the middle of a handshake is used, not forgotten", async () => {
  const { link, keys, answer } = await greeting();
  const writing = gate();
  keys.slow = writing.passed;
  const pasted = link.pair(`fk1.${PORT}.${"ab".repeat(32)}`);
  await until(() => keys.writes === 1);
  keys.slow = Promise.resolve();
  sockets[0].hear(answer);
  await until(() => sockets[0].readyState === 3);
  writing.open();
  assert.equal(await pasted, true);
  await until(() => sockets.at(-1).sent[0]?.pairing === true);
  assert.ok(keys.kept.pending);
  await link.unpair();
  await until(() => link.view.state === "unpaired");
});

test("where it is not known whether the server took the code, both ways to say hello are tried before the person is told", async () => {
  const { link } = await greeting(true);
  const unknown = JSON.stringify({ type: "bye", code: "unpaired", message: "" });
  assert.equal(sockets[0].sent[0].pairing, false);
  sockets[0].hear(unknown);
  await until(() => sockets[1]?.sent.length === 1);
  assert.equal(link.view.state, "connecting");
  assert.equal(sockets[1].sent[0].pairing, true);
  sockets[1].hear(unknown);
  await until(() => link.view.state === "refused");
  await link.unpair();
  await until(() => link.view.state === "unpaired");
});
