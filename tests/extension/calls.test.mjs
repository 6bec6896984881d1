import assert from "node:assert/strict";
import { test } from "node:test";

import { readAnswer } from "../../extension/lib/lanes/answer.js";
import { ANSWER, Area, call, gate, life, paidCall } from "./world.mjs";

async function ended(world, id) {
  return world.until(() => world.result(id));
}

test("a call is written down before each step is announced, and sent before it leaves", async () => {
  const world = await life();
  world.minting = gate();
  await world.calls.take(paidCall("a"));
  await world.until(() => world.journal.get("a").stage === "minting");
  assert.deepEqual(world.executions, []);
  world.minting.open();
  await ended(world, "a");
  const stages = world.area.writes.map((items) => items["call:a"].stage);
  assert.deepEqual(stages, ["accepted", "minting", "sent", "done"]);
  assert.deepEqual(world.phases("a"), stages);
});

test("the same id twice at once leaves once", async () => {
  const world = await life();
  world.answering = gate();
  await Promise.all([world.calls.take(paidCall("a")), world.calls.take(paidCall("a"))]);
  await world.until(() => world.executions.length > 0);
  await world.calls.take(paidCall("a"));
  world.answering.open();
  await ended(world, "a");
  assert.deepEqual(world.executions, ["a"]);
});

test("while its result is held, that is the answer to the same id", async () => {
  const world = await life();
  await world.calls.take(paidCall("a"));
  const first = await ended(world, "a");
  world.sent.length = 0;
  await world.calls.take(paidCall("a"));
  assert.deepEqual(world.sent, [first]);
});

test("after the ack the same id is a duplicate, and its page forgets it", async () => {
  const world = await life();
  await world.calls.take(paidCall("a"));
  await ended(world, "a");
  world.calls.ack("a");
  await world.calls.take(paidCall("a"));
  assert.equal(world.result("a").error.code, "DUPLICATE");
  assert.equal(world.result("a").error.sent, true);
  assert.deepEqual(world.executions, ["a"]);
  assert.deepEqual(world.forgotten, ["a"]);
});

test("an id that was looked up before it came never runs", async () => {
  const world = await life();
  await world.calls.lookup("a");
  assert.equal(world.sent[0].standing, "never_received");
  await world.calls.take(paidCall("a"));
  assert.deepEqual(world.result("a").error, { code: "DUPLICATE", message: "this id has been used", sent: false });
  assert.deepEqual(world.executions, []);
});

test("a call that runs is in flight, a call that was answered is answered with its result", async () => {
  const world = await life();
  world.answering = gate();
  await world.calls.take(call("a"));
  await world.until(() => world.executions.length > 0);
  await world.calls.lookup("a");
  assert.equal(world.sent.at(-1).standing, "in_flight");
  world.answering.open();
  await ended(world, "a");
  await world.calls.lookup("a");
  assert.equal(world.sent.at(-1).standing, "answered");
  assert.equal(world.sent.at(-1).result.body, ANSWER.body);
});

test("a refused call leaves nothing behind and may be asked again", async () => {
  const world = await life();
  world.paused = true;
  await world.calls.take(paidCall("a"));
  assert.equal(world.result("a").error.code, "PAUSED");
  assert.equal(world.journal.get("a"), undefined);
  world.paused = false;
  await world.calls.take(paidCall("a"));
  await world.until(() => world.result("a").ok);
});

test("pausing holds back paid calls only, also those that wait for their captcha", async () => {
  const world = await life();
  world.minting = gate();
  await world.calls.take(paidCall("paid"));
  await world.until(() => world.journal.get("paid").stage === "minting");
  world.paused = true;
  world.minting.open();
  const { error } = await ended(world, "paid");
  assert.deepEqual([error.code, error.sent], ["PAUSED", false]);
  await world.calls.take(call("free"));
  assert.equal((await ended(world, "free")).ok, true);
  assert.deepEqual(world.executions, ["free"]);
});

test("a call of an older generation is refused", async () => {
  const world = await life();
  world.generation = 5;
  await world.calls.take(paidCall("a", { generation: 4 }));
  assert.deepEqual([world.result("a").error.code, world.result("a").error.sent], ["STALE_GENERATION", false]);
});

test("asked before a paid call, the person's yes lets it go and their no keeps it", async () => {
  const world = await life();
  world.ask = true;
  await world.calls.take(paidCall("yes"));
  await world.calls.take(paidCall("no"));
  await world.until(() => world.approvals.list().length === 2);
  assert.deepEqual(world.executions, []);
  assert.deepEqual(world.phases("no"), ["accepted", "asking"]);
  assert.equal(world.approvals.answer("no", false), true);
  assert.equal(world.approvals.answer("yes", true), true);
  assert.equal((await ended(world, "yes")).ok, true);
  const { error } = await ended(world, "no");
  assert.deepEqual([error.code, error.sent], ["REFUSED_BY_PERSON", false]);
  assert.equal(world.journal.get("no").stage, "void");
  assert.equal(world.approvals.answer("no", true), false);
});

test("free calls are never asked about", async () => {
  const world = await life();
  world.ask = true;
  await world.calls.take(call("a"));
  assert.equal((await ended(world, "a")).ok, true);
});

for (const stage of ["asking", "minting"]) {
  test(`a call can be taken back while it is ${stage}`, async () => {
    const world = await life();
    world.ask = stage === "asking";
    world.minting = gate();
    await world.calls.take(paidCall("a"));
    await world.until(() => world.journal.get("a").stage === stage);
    world.calls.withdraw("a");
    const { error } = await ended(world, "a");
    assert.deepEqual([error.code, error.sent], ["WITHDRAWN", false]);
    assert.equal(world.journal.get("a").stage, "void");
    world.minting.open();
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(world.executions, []);
    assert.deepEqual(world.approvals.list(), []);
  });
}

test("a call that has been sent is not taken back", async () => {
  const world = await life();
  world.answering = gate();
  await world.calls.take(paidCall("a"));
  await world.until(() => world.executions.length > 0);
  world.calls.withdraw("a");
  world.answering.open();
  assert.equal((await ended(world, "a")).ok, true);
});

test("without a journal that can be written nothing leaves", async () => {
  const world = await life();
  world.area.full = true;
  await world.calls.take(paidCall("a"));
  assert.deepEqual([world.result("a").error.code, world.result("a").error.sent], ["LOST", false]);

  world.area.full = false;
  world.minting = gate();
  await world.calls.take(paidCall("b"));
  await world.until(() => world.journal.get("b").stage === "minting");
  world.area.full = true;
  world.minting.open();
  assert.equal((await ended(world, "b")).error.sent, false);
  assert.deepEqual(world.executions, []);
});

test("after the worker died its page still has the answer, and nothing is sent again", async () => {
  const area = new Area();
  const before = await life(area);
  before.answering = gate();
  await before.calls.take(paidCall("a"));
  await before.until(() => before.executions.length > 0);

  const after = await life(area);
  const answering = gate();
  after.kept.set("a", answering.passed);
  const recovered = after.calls.recover();
  await after.calls.take(paidCall("a")); // a copy of the call changes nothing
  await after.calls.lookup("a");
  assert.equal(after.sent.at(-1).standing, "in_flight");
  answering.open(ANSWER);
  await recovered;
  assert.equal(after.result("a").body, ANSWER.body);
  assert.deepEqual(after.executions, []);
  assert.equal(after.journal.get("a").stage, "done");
});

test("if the page is gone too, the call is lost and says that it was sent", async () => {
  const area = new Area();
  const before = await life(area);
  before.answering = gate();
  await before.calls.take(paidCall("a"));
  await before.until(() => before.executions.length > 0);

  const after = await life(area);
  await after.calls.recover();
  assert.deepEqual([after.result("a").error.code, after.result("a").error.sent], ["LOST", true]);
  await after.calls.lookup("a");
  assert.equal(after.sent.at(-1).standing, "sent_no_answer");
});

test("what the page hands back is not believed in any shape", async () => {
  for (const poison of [7, "x", { status: "200", body: 1 }, { status: 99, body: "" }, { fault: { toString: 1 } }]) {
    const area = new Area();
    const before = await life(area);
    before.answering = gate();
    await before.calls.take(paidCall("a"));
    await before.until(() => before.executions.length > 0);
    const after = await life(area);
    after.kept.set("a", Promise.resolve(poison));
    await after.calls.recover();
    assert.equal(after.result("a").ok, false);
    assert.equal(after.result("a").error.sent, true);
  }
});

test("text that could not be sent on is mended, or the link would break on it again and again", async () => {
  const world = await life();
  const answer = readAnswer({ ...ANSWER, body: "cut \ud83d here", type: "text/\udc00html" });
  world.answering = gate();
  const area = world.area;
  await world.calls.take(paidCall("a"));
  await world.until(() => world.executions.length > 0);
  const after = await life(area);
  after.kept.set("a", Promise.resolve({ ...ANSWER, body: "cut \ud83d here" }));
  await after.calls.recover();
  assert.ok(answer.body.isWellFormed() && answer.type.isWellFormed());
  assert.equal(after.result("a").body, "cut \ufffd here");
});

test("from its first moment a new life says of what was sent that it is in flight, until pages were asked", async () => {
  const area = new Area();
  const before = await life(area);
  before.answering = gate();
  await before.calls.take(paidCall("a"));
  await before.until(() => before.executions.length > 0);

  const after = await life(area);
  const looked = gate();
  after.recalling = looked.passed;
  after.kept.set("a", Promise.resolve(ANSWER));
  const recovered = after.calls.recover();
  await after.calls.lookup("a");
  assert.equal(after.sent.at(-1).standing, "in_flight");
  looked.open();
  await recovered;
  assert.equal(after.result("a").ok, true);
});

test("under another account than the last work's a paid call waits for the person even if nobody wanted to be asked", async () => {
  const world = await life();
  world.otherAccount = { now: "b…@example.com (0b0b)", before: "a…@example.com (0a0a)" };
  await world.calls.take(call("free"));
  await world.calls.take(paidCall("a"));
  await world.until(() => world.approvals.list().length === 1);
  assert.deepEqual(world.executions, ["free"]);
  assert.deepEqual(world.approvals.list()[0].account, world.otherAccount);
  assert.equal(world.approvals.answer("a", true), true);
  assert.equal((await ended(world, "a")).ok, true);
  assert.deepEqual(world.allowed, ["b…@example.com (0b0b)"]);
});

test("an ack while it still runs drops the result when it comes", async () => {
  const world = await life();
  world.answering = gate();
  await world.calls.take(call("a"));
  await world.until(() => world.executions.length > 0);
  world.calls.ack("a");
  world.answering.open();
  await ended(world, "a");
  assert.equal(world.journal.get("a").stage, "acked");
});

test("an unknown call and wrong arguments are answered, and nothing leaves", async () => {
  const world = await life();
  await world.calls.take(call("a", { name: "account.empty" }));
  await world.calls.take(call("b", { args: { ...call("b").args, headers: {} } }));
  await world.calls.take(call("c", { args: Array(9).fill(0) }));
  assert.equal(world.result("a").error.code, "UNKNOWN_CALL");
  assert.equal(world.result("b").error.code, "BAD_ARGUMENTS");
  assert.equal(world.result("c").error.code, "BAD_ARGUMENTS");
  assert.deepEqual(world.executions, []);
});
