import assert from "node:assert/strict";
import { test } from "node:test";

import { BATCHEXECUTE, LABS_CALLS, callInWords, check, labsAddress, withToken } from "../../extension/lib/flow_api.js";
import { call } from "./world.mjs";

function batch(args, more = {}) {
  return check(call("a", { args: { rpc: "nzlxg", args: [], ...args }, ...more }));
}

function labs(name, args, more = {}) {
  return check(call("a", { lane: "labs", name, args, ...more }));
}

const MEDIA = { method: "GET", host: "api", path: "/v1/media/abc" };
const bad = { code: "BAD_ARGUMENTS", sent: false };

test("a row's call passes in each lane", () => {
  assert.equal(batch({ source_path: "/project/1-a_B" }).rpc, "nzlxg");
  assert.equal(labs("media.get", { ...MEDIA, query: { "clientContext.tool": "PINHOLE" } }).method, "GET");
});

for (const name of ["", "account.empty", "__proto__", "constructor", "toString"]) {
  test(`there is no call named “${name}”`, () => {
    for (const lane of ["batchexecute", "labs"]) {
      assert.throws(() => check(call("a", { name, lane })), { code: "UNKNOWN_CALL", sent: false });
    }
  });
}

test("an rpc that no row knows is allowed, that of another row is not", () => {
  batch({ rpc: "Zzzzz" });
  for (const rpc of ["ogiZ0b", "abcd", "abcdefg", "ab-de", "ab de", "nzlxg\n", ["nzlxg"], null]) {
    assert.throws(() => batch({ rpc }), bad);
  }
});

const PATHS = [
  "project", "//evil.example", "/\\evil.example", "/a/../b", "/..%2f", "/a?b", "/a#b", "/a//b", "/a/", "/a b", "/é",
  "/a\n", "https://flow.google.com@evil/", "", 7, null, ["/"], `/${"a".repeat(2000)}`,
];
for (const source_path of PATHS) {
  test(`${JSON.stringify(source_path)?.slice(0, 40)} is no page of Flow`, () => assert.throws(() => batch({ source_path }), bad));
}

const HOSTILE = [
  "https://flow.google.com@evil/", "https://aisandbox-pa.googleapis.com.evil.example/v1/media/abc",
  "https://evil.example/v1/media/abc", "http://aisandbox-pa.googleapis.com/v1/media/abc", "//evil.example/v1/media/abc",
  "/\\evil.example/v1/media/abc", "\\\\evil.example\\v1", "/v1/media/..%2fcredits", "/v1/media/../credits", "/v1/media/.",
  "/v1/media/a/b", "/v1/media/", "/v1/media/a?key=1", "/v1/media/a#b", "/v1/media/a%00", "/v1/media/a\n", "/v1/media/é",
  ":8443/v1/media/abc", "@evil.example/v1/media/abc", " /v1/media/abc", "/V1/media/abc", `/v1/media/${"a".repeat(401)}`,
  7, null, undefined, ["/v1/media/abc"], { toString: () => "/v1/media/abc" },
];
for (const path of HOSTILE) {
  test(`the path ${JSON.stringify(path)?.slice(0, 60)} goes nowhere`, () => {
    assert.throws(() => labs("media.get", { ...MEDIA, path }), bad);
  });
}

test("method, host, query and body are the row's; there is no field for a header", () => {
  const wrong = [
    { method: "POST" }, { method: "get" }, { host: "site" }, { host: "evil.example" }, { host: "toString" },
    { query: { key: "1" } }, { query: { "clientContext.tool": 1 } }, { query: { "clientContext.tool": "x".repeat(4097) } },
    { query: [] }, { query: null }, { body: {} }, { body: null }, { headers: { authorization: "Bearer x" } },
    { url: "https://evil.example/" }, { redirect: "follow" },
  ];
  for (const change of wrong) assert.throws(() => labs("media.get", { ...MEDIA, ...change }), bad);
  const upload = { method: "POST", host: "api", path: "/v1/flow/uploadImage" };
  for (const body of [undefined, null, [], "text"]) assert.throws(() => labs("image.upload", { ...upload, body }), bad);
  labs("image.upload", { ...upload, body: {} });
});

test("what a call costs and which captcha it may mint is the row's to say", () => {
  assert.throws(() => batch({}, { paid: true }), bad);
  assert.throws(() => batch({}, { captcha: "IMAGE_GENERATION" }), bad);
  const image = { name: "image.generate", args: { rpc: "ogiZ0b", args: [] } };
  assert.throws(() => check(call("a", image)), bad);
  assert.throws(() => check(call("a", { ...image, paid: true, captcha: "VIDEO_GENERATION" })), bad);
  check(call("a", { ...image, paid: true }));
});

test("a body too large or too deep is refused", () => {
  let deep = [];
  for (let i = 0; i < 5000; i++) deep = [deep];
  assert.throws(() => batch({ args: deep }), bad);
  assert.throws(() => batch({ args: ["x".repeat(33 * 1024 * 1024)] }), bad);
});

test("whatever passes goes to one of three hosts, over https and the usual port", () => {
  for (const [name, row] of Object.entries(LABS_CALLS)) {
    const path = row.path.replace(/\{[a-z]+\}/, "an-id_1");
    const url = labsAddress(row, path, Object.fromEntries(row.query.map((key) => [key, "&a=b#c?d/../e"])));
    const host = row.host === "api" ? "aisandbox-pa.googleapis.com" : "labs.google";
    assert.deepEqual([url.protocol, url.host, url.pathname, url.hash], ["https:", host, path, ""], name);
    assert.deepEqual([...url.searchParams.keys()], row.query);
  }
});

test("the token goes wherever its place is marked and nowhere else", () => {
  const before = { a: ["$RECAPTCHA", { b: "$RECAPTCHA" }], c: "say $RECAPTCHA" };
  assert.deepEqual(withToken(before, "T"), { a: ["T", { b: "T" }], c: "say $RECAPTCHA" });
});

test("every call has words for the person", () => {
  for (const name of Object.keys({ ...BATCHEXECUTE, ...LABS_CALLS })) assert.notEqual(callInWords({ name }), "unknown call");
  assert.equal(callInWords({ name: "video.text", what: "scene 3 vertical clip" }), "scene 3 vertical clip");
});
