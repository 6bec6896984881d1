// @ts-check
/** Which of Flow's hosts Chrome lets this extension see. The person can take any of them back. */

import { FLOW, LABS, LABS_API } from "./flow_api.js";

/** @returns {Promise<import("./flow_words.js").Granted>} */
export async function granted() {
  const has = (/** @type {string} */ host) => chrome.permissions.contains({ origins: [`${host}/*`] });
  const [flow, labs, api] = await Promise.all([has(FLOW), has(LABS), has(LABS_API)]);
  return { flow, labs, api };
}
