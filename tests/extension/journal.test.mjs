import assert from "node:assert/strict";
import { test } from "node:test";

import { Journal, OPEN_LIST_BYTES, TOMBSTONES } from "../../extension/lib/journal.js";
import { Area } from "./world.mjs";

async function opened(area = new Area()) {
  const journal = new Journal(area);
  await journal.open();
  return journal;
}

test("a new life knows what the last one wrote", async () => {
  const area = new Area();
  await (await opened(area)).write("a", "sent", true);
  assert.equal((await opened(area)).get("a").stage, "sent");
});

for (const stage of ["accepted", "asking", "minting"]) {
  test(`what was ${stage} when the worker died never left and never will`, async () => {
    const area = new Area();
    await (await opened(area)).write("a", stage, true);
    const journal = await opened(area);
    assert.equal(await journal.standing("a"), "never_received");
    assert.equal((await opened(area)).get("a").stage, "void");
  });
}

test("what was sent when the worker died has no answer that is known", async () => {
  const area = new Area();
  await (await opened(area)).write("a", "sent", true);
  assert.equal(await (await opened(area)).standing("a"), "sent_no_answer");
});

test("of answered calls a new life lists the paid ones only", async () => {
  const area = new Area();
  const journal = await opened(area);
  await journal.write("free", "done", false);
  await journal.write("paid", "done", true);
  assert.deepEqual({ ...(await opened(area)).openCalls() }, { paid: "done" });
});

test("an id that was asked about is void from then on", async () => {
  const area = new Area();
  assert.equal(await (await opened(area)).standing("unheard of"), "never_received");
  assert.equal((await opened(area)).get("unheard of").stage, "void");
});

test("the journal holds stages, the order and whether it was paid, nothing else", async () => {
  const area = new Area();
  await (await opened(area)).write("a", "sent", true);
  assert.deepEqual(area.items, { "call:a": { stage: "sent", paid: true, n: 1 } });
});

test("500 tombstones are kept, and those of free calls go first", async () => {
  const area = new Area();
  const journal = await opened(area);
  await journal.write("paid, the oldest", "acked", true);
  await journal.write("free, the next", "void", false);
  for (let i = 0; i < TOMBSTONES - 1; i++) await journal.write(`free ${i}`, "acked", false);
  assert.notEqual(journal.get("paid, the oldest"), undefined);
  assert.equal(journal.get("free, the next"), undefined);
  assert.equal(Object.keys(area.items).length, TOMBSTONES);
});

test("open calls are never forgotten, however many tombstones there are", async () => {
  const journal = await opened();
  await journal.write("open", "sent", true);
  for (let i = 0; i < TOMBSTONES + 20; i++) await journal.write(`t${i}`, "acked", true);
  assert.equal(journal.get("open").stage, "sent");
});

test("the list for the handshake has the newest calls and stays within its bytes", async () => {
  const journal = await opened();
  for (let i = 0; i < 300; i++) await journal.write(`é${i}`.padEnd(40, "é"), "sent", true);
  const open = journal.openCalls();
  assert.ok(new TextEncoder().encode(JSON.stringify(open)).length <= OPEN_LIST_BYTES + 2);
  assert.ok("é299".padEnd(40, "é") in open);
  assert.ok(!("é0".padEnd(40, "é") in open));
});

test("what others left in the storage is not taken for a call", async () => {
  const area = new Area({ "call:x": { stage: "nonsense", paid: 1 }, "call:y": 7, instance: "a" });
  assert.deepEqual({ ...(await opened(area)).openCalls() }, {});
});

test("the order outlives the worker", async () => {
  const area = new Area();
  const first = await opened(area);
  for (const id of ["z", "a", "m"]) await first.write(id, "sent", true);
  const second = await opened(area);
  await second.write("z", "sent", true);
  assert.deepEqual(Object.keys((await opened(area)).openCalls()), ["z", "m", "a"]);
});
