import assert from "node:assert/strict";
import { test } from "node:test";

import { shakeHands } from "../../extension/lib/handshake.js";
import { profileKey } from "../../extension/lib/pairing.js";
import { INSTANCE, PORT, challenge } from "./world.mjs";

const flow = { tab: "none", signed_in: false, simulated: false, page_loads: 0 };

/** A server that answers each frame with what `answers` makes of it. */
async function meet(answers, more = {}) {
  const key = await profileKey(new Uint8Array(32).fill(7), INSTANCE);
  const sent = [];
  const queue = ["open"];
  const frames = { next: async () => queue.shift() };
  const kept = [];
  const send = (message) => {
    sent.push(message);
  };
  frames.next = async () => {
    if (queue.length === 0) queue.push(await answers[sent.length - 1](sent.at(-1), key));
    return queue.shift();
  };
  const who = {
    instance: INSTANCE, port: PORT, key, pairing: false, generation: 3,
    proved: async (generation) => void kept.push([generation, sent.length]),
    about: () => ({ version: "1", label: "l", flow, journal: {} }),
    ...more,
  };
  const ending = await shakeHands(frames, send, who).catch((error) => error);
  return { sent, kept, ending };
}

const welcome = () => JSON.stringify({ type: "welcome", generation: 3, version: "v", library: "lib" });

test("both prove themselves, and the key is kept before our proof goes out", async () => {
  const { sent, kept, ending } = await meet([challenge, welcome]);
  assert.deepEqual(sent.map(({ type }) => type), ["hello", "proof"]);
  assert.deepEqual(Object.keys(sent[0]).sort(), ["instance", "nonce", "pairing", "protocol", "type"]);
  assert.deepEqual(kept, [[3, 1]]);
  assert.equal(ending.server.library, "lib");
});

const rogues = {
  "a made-up proof": () => JSON.stringify({ type: "challenge", protocol: 1, nonce: NONCE, generation: 3, proof: "0".repeat(64) }),
  "our own kind of proof": (hello, key) => challenge(hello, key, { side: "ext" }),
  "a proof for another port": (hello, key) => challenge(hello, key, { port: 4782 }),
  "a proof for another profile": (hello, key) => challenge(hello, key, { instance: "b".repeat(32) }),
  "a proof for another hello": (hello, key) => challenge({ nonce: "2".repeat(64) }, key),
  "a welcome at once": welcome,
  "a call before it proved itself": () => JSON.stringify({ type: "call", id: "a", generation: 1, lane: "labs", name: "n", args: {}, timeout_s: 1 }),
  "our own hello": (hello) => JSON.stringify(hello),
  "no JSON": () => "hi",
  "five kilobytes": async (hello, key) => (await challenge(hello, key)).padEnd(5000, " "),
};
for (const [what, answer] of Object.entries(rogues)) {
  test(`to a server with ${what} nothing is said after hello`, async () => {
    const { sent, kept, ending } = await meet([answer, welcome]);
    assert.deepEqual(sent.map(({ type }) => type), ["hello"]);
    assert.deepEqual(kept, []);
    assert.ok(ending instanceof Error);
  });
}

test("an older generation is refused, but not while pairing", async () => {
  const older = (hello, key) => challenge(hello, key, { generation: 2 });
  assert.equal((await meet([older, welcome])).ending.code, 4005);
  assert.equal((await meet([older, welcome], { pairing: true })).ending.server.library, "lib");
});

test("another protocol version is refused", async () => {
  const other = (hello, key) => challenge(hello, key, { protocol: 2 });
  assert.equal((await meet([other, welcome])).ending.code, 4002);
});

test("a server that knows this profile no more says so in words", async () => {
  const bye = () => JSON.stringify({ type: "bye", code: "unpaired", message: "Run flowkit-mcp pair." });
  const { ending } = await meet([bye]);
  assert.equal(ending.code, 4003);
  assert.match(ending.nextStep, /flowkit-mcp pair/);
});
