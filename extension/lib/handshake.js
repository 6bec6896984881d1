// @ts-check
/** The handshake: nothing but who asks leaves before the server has proved itself (docs/bridge-protocol.md). */

import {
  CLOSE,
  HANDSHAKE_LIMIT_MS,
  MAX_HANDSHAKE_MESSAGE,
  Malformed,
  PROTOCOL,
  parseFromServer,
} from "./protocol.js";
import { proof, randomHex, same } from "./pairing.js";

/** The handshake ended before `welcome`. `code` is how we close, or how the server did. */
export class Refused extends Error {
  /** @param {number} code @param {string} message @param {string} nextStep */
  constructor(code, message, nextStep) {
    super(message);
    this.code = code;
    this.nextStep = nextStep;
  }
}

/**
 * @typedef {object} Introduction
 * @property {string} instance
 * @property {number} port
 * @property {CryptoKey} key
 * @property {boolean} pairing The key comes from a code just pasted.
 * @property {number} generation The highest seen.
 * @property {(generation: number) => Promise<void>} proved The server is who it says: keep the key, on disk.
 * @property {() => {version: string, label: string, flow: object, journal: object}} about
 */

/**
 * @param {import("./frames.js").Frames} frames
 * @param {(message: object) => void} send
 * @param {Introduction} who
 * @returns {Promise<{server: {generation: number, version: string, library: string}, standby: boolean}>}
 *   `standby`: another profile is in use; a `queue` tells when this one's turn has come.
 * @throws {Refused | import("./frames.js").Closed | import("./frames.js").Silence}
 */
export async function shakeHands(frames, send, who) {
  const { instance, port, key, pairing } = who;
  const until = Date.now() + HANDSHAKE_LIMIT_MS;
  const left = () => Math.max(1, until - Date.now());
  await frames.next(left()); // open

  const extNonce = randomHex(32);
  send({ type: "hello", protocol: PROTOCOL, instance, nonce: extNonce, pairing });
  const challenge = expect("challenge", await frames.next(left()));
  if (challenge.protocol !== PROTOCOL) throw otherVersion();
  const about = { port, instance, extNonce, srvNonce: challenge.nonce, generation: challenge.generation };
  if (!same(challenge.proof, await proof(key, "srv", about))) {
    throw new Refused(
      CLOSE.NOT_PROVED,
      `The program on port ${port} could not prove that it is your FlowKit.`,
      pairing ? "Run flowkit-mcp pair and paste its newest code." : "Stop that program, or pair again.",
    );
  }
  if (!pairing && challenge.generation < who.generation) {
    throw new Refused(CLOSE.STALE, "An older FlowKit answered.", "Wait a moment, or stop the older one. If you have gone back to a copy of a library, pair again.");
  }
  await who.proved(challenge.generation);
  send({ type: "proof", proof: await proof(key, "ext", about), ...who.about() });
  const { generation, version, library, standby } = expect("welcome", await frames.next(left()));
  return { server: { generation, version, library }, standby: standby === true };
}

/**
 * @param {string} type
 * @param {unknown} frame
 */
function expect(type, frame) {
  if (typeof frame === "string" && frame.length > MAX_HANDSHAKE_MESSAGE) throw malformed();
  let message;
  try {
    message = parseFromServer(frame);
  } catch (error) {
    if (error instanceof Malformed) throw malformed();
    throw error;
  }
  if (message.type === "bye") throw refusedBy(message.code, message.message ?? "");
  if (message.type !== type) throw malformed();
  return message;
}

function malformed() {
  return new Refused(
    CLOSE.MALFORMED,
    "The program on this port does not speak as FlowKit does.",
    "Update the extension and FlowKit to the same version.",
  );
}

function otherVersion() {
  return new Refused(
    CLOSE.VERSION,
    "FlowKit and this extension are of different versions.",
    "Update both: flowkit-mcp extension unpacks the extension that fits.",
  );
}

/**
 * The server said why before it closed.
 * @param {string} code
 * @param {string} message
 */
export function refusedBy(code, message) {
  const told = message.slice(0, 200);
  if (code === "version") return otherVersion();
  if (code === "unpaired") {
    return new Refused(
      CLOSE.NOT_PROVED,
      "FlowKit does not know this browser profile (any more).",
      "Run flowkit-mcp pair and paste its code here.",
    );
  }
  if (code === "simulated") {
    return new Refused(CLOSE.SIMULATED, `FlowKit and this Flow do not belong together: ${told}.`,
      "Use a library for simulated work with the simulator, and one for real work with Flow.");
  }
  if (code === "replaced") return new Refused(CLOSE.REPLACED, "Another window of this profile has taken over.", "");
  if (code === "shutdown") return new Refused(CLOSE.GOING_AWAY, "FlowKit has ended.", "Start it again when you need it.");
  return malformed();
}

/**
 * The server closed without a word.
 * @param {number} code
 * @returns {Refused | null}
 */
export function refusedWith(code) {
  /** @type {Map<number, string>} */
  const byes = new Map([
    [CLOSE.VERSION, "version"],
    [CLOSE.NOT_PROVED, "unpaired"],
    [CLOSE.REPLACED, "replaced"],
    [CLOSE.SIMULATED, "simulated"],
    [CLOSE.MALFORMED, "malformed"],
  ]);
  const bye = byes.get(code);
  return bye === undefined ? null : refusedBy(bye, "");
}
