// @ts-check
/** Running a function of page/ inside a tab, with a limit, and its answer as untrusted data. */

/** The page did not do it. `why`: late, gone (closed, navigated or reloaded), withheld (no permission). */
export class PageFault extends Error {
  /** @param {"late"|"gone"|"withheld"} why */
  constructor(why) {
    super(why);
    this.why = why;
  }
}

/** @typedef {{tabId: number, documentId?: string}} Place One document of a tab, or whichever is shown there now. */

/**
 * @template {any[]} A
 * @param {Place} place
 * @param {(...args: A) => unknown} func From page/: it is sent as text and must stand alone.
 * @param {A} args
 * @param {number} limitMs
 * @returns {Promise<{value: unknown, documentId: string}>} `value` is null if the page went away meanwhile.
 * @throws {PageFault}
 */
export async function runInPage({ tabId, documentId }, func, args, limitMs) {
  const target = documentId ? { tabId, documentIds: [documentId] } : { tabId, frameIds: [0] };
  const running = chrome.scripting.executeScript({
    target,
    world: "MAIN",
    injectImmediately: true,
    func: /** @type {(...args: any[]) => any} */ (func),
    args,
  });
  running.catch(() => {}); // it may fail after the limit
  const late = new PageFault("late");
  try {
    const [frame] = await withinLimit(running, limitMs, late);
    if (frame === undefined) throw new PageFault("gone");
    return { value: frame.result ?? null, documentId: frame.documentId };
  } catch (error) {
    if (error instanceof PageFault) throw error;
    const text = error instanceof Error ? error.message : "";
    throw new PageFault(/cannot access|permission/i.test(text) ? "withheld" : "gone");
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {number} limitMs
 * @param {Error} error Thrown when the limit is over.
 * @returns {Promise<T>}
 */
export async function withinLimit(promise, limitMs, error) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(error), limitMs);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (limit)]);
  } finally {
    clearTimeout(timer);
  }
}
