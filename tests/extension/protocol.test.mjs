import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parseCode, profileKey, proof, randomHex, same } from "../../extension/lib/pairing.js";
import { Malformed, parseFromServer } from "../../extension/lib/protocol.js";

const vectors = JSON.parse(readFileSync(new URL("pairing_vectors.json", import.meta.url), "utf8"));

for (const { code, instance, port, extNonce, srvNonce, generation, srv, ext } of vectors) {
  test(`keys and proofs are those of Python (port ${port}, generation ${generation})`, async () => {
    const parsed = parseCode(` ${code}\n`);
    assert.equal(parsed.port, port);
    const key = await profileKey(parsed.secret, instance);
    const about = { port, instance, extNonce, srvNonce, generation };
    assert.equal(await proof(key, "srv", about), srv);
    assert.equal(await proof(key, "ext", about), ext);
  });
}

test("the key cannot be read out again", async () => {
  const key = await profileKey(new Uint8Array(32), "a".repeat(32));
  await assert.rejects(crypto.subtle.exportKey("raw", key));
  assert.deepEqual(key.usages, ["sign"]);
});

test("what is no pairing code is none", () => {
  const hex = "a".repeat(64);
  const wrong = [`fk1.80.${hex}`, `fk1.70000.${hex}`, `fk1.0047.${hex}`, `fk2.4781.${hex}`, `fk1.4781.${hex}a`,
    `fk1.4781.${hex.toUpperCase()}`, `x fk1.4781.${hex}`, "", null, 7];
  for (const text of wrong) assert.equal(parseCode(text), null, String(text));
});

test("proofs are compared whole", () => {
  assert.equal(same("abc", "abc"), true);
  assert.equal(same("abc", "abd"), false);
  assert.equal(same("abc", "abcd"), false);
  assert.notEqual(randomHex(32), randomHex(32));
});

const GOOD = [
  { type: "challenge", protocol: 1, nonce: "0".repeat(64), generation: 1, proof: "f".repeat(64) },
  { type: "welcome", generation: 1, version: "0.1.0", library: "my library" },
  { type: "pong", at: 1 },
  { type: "bye", code: "shutdown", message: "" },
  { type: "call", id: "a", generation: 1, lane: "labs", name: "n", what: "scene 1 clip", args: {}, captcha: "X", paid: true, credits: 1, timeout_s: 0.5 },
  { type: "ack", id: "a" },
  { type: "queue", jobs: [{ id: 41, what: "scene 3 vertical clip", state: "queued", credits: 10 }], ahead: 3 },
];

test("characters are counted as the server counts them", () => {
  const queue = (/** @type {string} */ what) => JSON.stringify({ type: "queue", jobs: [{ id: 1, what, state: "queued" }] });
  assert.equal(parseFromServer(queue("🎬".repeat(80))).jobs.length, 1);
  assert.throws(() => parseFromServer(queue("🎬".repeat(81))), Malformed);
  assert.throws(() => parseFromServer(queue("x".repeat(81))), Malformed);
});

for (const message of GOOD) {
  test(`a ${message.type} is read as it was sent`, () => {
    assert.deepEqual(parseFromServer(JSON.stringify(message)), message);
  });
  test(`a ${message.type} with a field too many or a wrong one is malformed`, () => {
    assert.throws(() => parseFromServer(JSON.stringify({ ...message, secret_name: 1 })), (error) => {
      return error instanceof Malformed && !error.message.includes("secret_name");
    });
    for (const field of Object.keys(message)) {
      assert.throws(() => parseFromServer(JSON.stringify({ ...message, [field]: -0.5 })), Malformed);
    }
  });
}

test("frames that are no messages are malformed", () => {
  const frames = ["", "{", "null", "[]", "7", '"x"', "{}", '{"type":7}', '{"type":"hello"}', '{"type":"__proto__"}',
    '{"type":"constructor"}', new ArrayBuffer(3), "[".repeat(100_000)];
  for (const frame of frames) assert.throws(() => parseFromServer(frame), Malformed);
});
