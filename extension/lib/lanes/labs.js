// @ts-check
/** Lane labs: one REST or tRPC call from inside a page of labs.google, with the page's own bearer or cookies. */

import { labsAddress, withToken } from "../flow_api.js";
import { CannotCall } from "../protocol.js";
import { callLabs } from "../../page/labs.js";
import { HAND_OVER_MS, isHtml, lost, readAnswer } from "./answer.js";

/** @typedef {import("./answer.js").Answer} Answer */
/** @typedef {import("../protocol.js").Call} Call */
/** @typedef {import("../flow_api.js").LabsRow} LabsRow */
/** @typedef {import("../page.js").Page} Page */
/** @typedef {import("../labs_session.js").LabsSessions} LabsSessions */
/** @typedef {import("./batchexecute.js").Tools & {sessions: LabsSessions, redirects: import("../redirects.js").Redirects}} Tools */

const SESSION_LIMIT_MS = 10_000;

/**
 * @param {Call} call
 * @param {LabsRow} row
 * @param {Page} page
 * @param {number} limitMs From the moment it is sent, both attempts together.
 * @param {Tools} tools
 * @returns {Promise<Answer>}
 */
export async function callInLabs(call, row, page, limitMs, tools) {
  const { sessions, redirects, reach } = tools;
  const url = labsAddress(row, call.args.path, call.args.query).href;
  const bearerOf = async (/** @type {boolean} */ fresh) => {
    if (row.host === "site") return null;
    const bearer = await sessions.bearer(page, SESSION_LIMIT_MS, { fresh });
    if (bearer === null) {
      throw new CannotCall("NOT_SIGNED_IN", "nobody is signed in to Flow", {
        nextStep: "Sign in in the Flow tab.",
      });
    }
    if (!sessions.sameAccount(page)) {
      tools.doubt();
      throw new CannotCall("NO_FLOW_TAB", "another account is signed in to Flow now");
    }
    return bearer;
  };
  const bodyOf = async () => {
    if (call.args.body === undefined) return null;
    if (!call.captcha) return JSON.stringify(call.args.body);
    return JSON.stringify(withToken(call.args.body, await tools.mint(page, call.captcha)));
  };

  let bearer = await bearerOf(false);
  if (call.captcha) await reach("minting");
  let body = await bodyOf();
  await reach("sent");
  const until = Date.now() + limitMs;
  const address = redirects.expect(page.tabId, url);

  const attempt = async (/** @type {boolean} */ again) => {
    const left = Math.max(1, until - Date.now());
    const about = { id: call.id, url, method: row.method, bearer, body, limitMs: left, again };
    return readAnswer(await page.run(callLabs, [about], left + HAND_OVER_MS).catch(lost));
  };

  try {
    let answer = await attempt(false);
    if (answer.status === 401 && row.host === "api" && !isHtml(answer)) {
      // A bearer refused before anything was looked at: not accepted (flow-wire §1.2), so once more is safe.
      const ready = await Promise.all([bearerOf(true), bodyOf()]).catch(() => null);
      if (ready !== null) {
        [bearer, body] = ready;
        answer = await attempt(true);
      }
      if (answer.status === 401) tools.doubt();
    }
    if (answer.redirected) {
      if (call.name === "media.url") return await whereItLeads(answer, address);
      tools.doubt();
    }
    return answer;
  } finally {
    address.forget();
  }
}

/**
 * @param {Answer} answer
 * @param {import("../redirects.js").Expected} address
 * @returns {Promise<Answer>}
 */
async function whereItLeads(answer, address) {
  const url = await address.leadsTo(1000);
  if (url === null) return answer;
  return { ...answer, status: 200, type: "application/json", body: JSON.stringify({ url }) };
}
