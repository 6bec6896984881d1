import assert from "node:assert/strict";
import { test } from "node:test";

import { Panels } from "../../extension/lib/state.js";

const ID = "kbdddalkhdjhhiehcbiihhmllmnpence";
const OURS = `chrome-extension://${ID}/ui/panel.html`;
globalThis.chrome = { runtime: { id: ID, getURL: (path) => `chrome-extension://${ID}/${path}` } };

function port(sender, name = "panel") {
  const listeners = [];
  return {
    name, sender, posted: [], hungUp: false, say: (message) => listeners.forEach((listen) => listen(message)),
    postMessage(message) {
      this.posted.push(message);
    },
    disconnect() {
      this.hungUp = true;
    },
    onDisconnect: { addListener() {} },
    onMessage: { addListener: (listen) => listeners.push(listen) },
  };
}

test("our own panel is told the state at once, and changes soon after, many at once", async () => {
  let state = 1;
  const panels = new Panels(() => ({ state }));
  const panel = port({ id: ID, url: OURS });
  assert.equal(panels.accept(panel, async () => {}), true);
  assert.deepEqual(panel.posted, [{ type: "state", state: { state: 1 } }]);
  state = 2;
  panels.changed();
  state = 3;
  panels.changed();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(panel.posted.slice(1), [{ type: "state", state: { state: 3 } }]);
});

for (const [what, sender, name] of [
  ["another extension", { id: "a".repeat(32), url: OURS }],
  ["a web page", { id: ID, url: "https://flow.google.com/" }],
  ["a content script of ours, if there were one", { id: ID, url: "https://evil.example/chrome-extension://" }],
  ["a page that only begins like ours", { id: ID, url: `chrome-extension://${ID}.evil.example/ui/panel.html` }],
  ["nobody", undefined],
  ["a port of another name", { id: ID, url: OURS }, "other"],
]) {
  test(`${what} is hung up on and told nothing`, () => {
    const panels = new Panels(() => ({ secret: 1 }));
    const stranger = port(sender, name);
    let heard = 0;
    assert.equal(panels.accept(stranger, async () => void heard++), false);
    stranger.say({ type: "unpair" });
    assert.deepEqual([stranger.hungUp, stranger.posted, heard], [true, [], 0]);
  });
}
