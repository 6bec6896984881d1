// @ts-check
/** Run inside a Flow page (world MAIN): the answers that the page keeps for a worker that may be stopped. */

/**
 * The answer of a call made earlier, waited for if it is still under way.
 * @param {string} id
 */
export function recallAnswer(id) {
  const kept = /** @type {any} */ (window)[Symbol.for("flowkit answers")];
  return kept instanceof Map && kept.has(id) ? kept.get(id) : { unknown: true };
}

/** @param {string} id */
export function forgetAnswer(id) {
  const kept = /** @type {any} */ (window)[Symbol.for("flowkit answers")];
  if (kept instanceof Map) kept.delete(id);
}
