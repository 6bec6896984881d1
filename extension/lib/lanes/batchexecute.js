// @ts-check
/** Lane batchexecute: one RPC from inside the Flow page, with the page's own values (flow-wire §1.1, §2.1). */

import { withToken } from "../flow_api.js";
import { callBatchexecute } from "../../page/batchexecute.js";
import { HAND_OVER_MS, isHtml, lost, readAnswer } from "./answer.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("../protocol.js").Call} Call */
/** @typedef {import("../page.js").Page} Page */
/**
 * @typedef {object} Tools
 * @property {(page: Page, action: string) => Promise<string>} mint
 * @property {(phase: "minting" | "sent") => Promise<void>} reach On disk and announced when it resolves.
 * @property {() => void} doubt The page no longer fits what Flow answers.
 */

/** Refused as a whole, most likely stale page values: not accepted, so once more is safe. */
const REFUSED = new Set([400, 401, 403]);

/**
 * @param {Call} call
 * @param {Page} page
 * @param {number} limitMs From the moment it is sent, both attempts together.
 * @param {Tools} tools
 * @returns {Promise<Answer>}
 */
export async function callInBatchexecute(call, page, limitMs, { mint, reach, doubt }) {
  const { rpc, args, source_path: sourcePath = "/" } = call.args;
  const body = async () => {
    const filled = call.captcha ? withToken(args, await mint(page, call.captcha)) : args;
    return JSON.stringify([[[rpc, JSON.stringify(filled), null, "generic"]]]);
  };
  if (call.captcha) await reach("minting");
  const request = await body();
  await reach("sent");
  const until = Date.now() + limitMs;

  const attempt = async (/** @type {string} */ request, /** @type {boolean} */ again) => {
    const left = Math.max(1, until - Date.now());
    const about = { id: call.id, rpc, request, sourcePath, limitMs: left, again };
    return readAnswer(await page.run(callBatchexecute, [about], left + HAND_OVER_MS).catch(lost));
  };

  let answer = await attempt(request, false);
  let stale = false;
  if (REFUSED.has(answer.status) && !isHtml(answer)) {
    // With fresh values and a fresh token. A page in HTML is a person's business and stands.
    const once = await body().catch(() => null);
    if (once !== null) {
      answer = await attempt(once, true).catch((error) => {
        if (error.sent !== false) throw error;
        stale = true; // no fresh values for this account: the refusal stands
        return answer;
      });
    }
  }
  const refused = answer.status === 401 || answer.status === 302;
  if (stale || refused || (answer.status === 200 && isHtml(answer))) doubt();
  return answer;
}
