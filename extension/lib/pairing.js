// @ts-check
/**
 * Pairing codes, this profile's key and the two proofs, exactly as flowkit_mcp/bridge/pairing.py.
 * The key is a WebCrypto key that cannot be read out again, not even by us.
 */

import { PROTOCOL } from "./protocol.js";

const utf8 = new TextEncoder();
const CODE = /^fk1\.([0-9]{4,5})\.([0-9a-f]{64})$/;

/** @param {ArrayBuffer | Uint8Array} bytes */
function hex(bytes) {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {number} length In bytes. */
export function randomHex(length) {
  return hex(crypto.getRandomValues(new Uint8Array(length)));
}

/**
 * @param {unknown} pasted What the person pasted; white space around it does not matter.
 * @returns {{port: number, secret: Uint8Array<ArrayBuffer>} | null} Null if it is no pairing code.
 */
export function parseCode(pasted) {
  const match = typeof pasted === "string" ? CODE.exec(pasted.trim()) : null;
  if (match === null) return null;
  const port = Number(match[1]);
  if (port < 1024 || port > 65535) return null;
  const secret = Uint8Array.from({ length: 32 }, (_, i) =>
    parseInt(match[2].slice(2 * i, 2 * i + 2), 16),
  );
  return { port, secret };
}

/**
 * HKDF-SHA256 of the code's secret with the instance as salt.
 * @param {Uint8Array<ArrayBuffer>} secret
 * @param {string} instance
 * @returns {Promise<CryptoKey>} For HMAC-SHA256, not extractable.
 */
export async function profileKey(secret, instance) {
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: utf8.encode(instance), info: utf8.encode("flowkit bridge") },
    base,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
}

/**
 * @param {CryptoKey} key
 * @param {"srv"|"ext"} side Keeps an echoed proof from verifying.
 * @param {{port: number, instance: string, extNonce: string, srvNonce: string, generation: number}} about
 * @returns {Promise<string>} 64 hex digits.
 */
export async function proof(key, side, { port, instance, extNonce, srvNonce, generation }) {
  const text = `${side}|${PROTOCOL}|${port}|${instance}|${extNonce}|${srvNonce}|${generation}`;
  return hex(await crypto.subtle.sign("HMAC", key, utf8.encode(text)));
}

/**
 * Compare two proofs in constant time.
 * @param {string} a
 * @param {string} b
 */
export function same(a, b) {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
