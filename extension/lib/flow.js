// @ts-check
/** Flow as the calls see it: the right page, the right lane, the captcha, and answers that pages keep. */

import { Captcha } from "./captcha.js";
import { callInWords } from "./flow_api.js";
import { FlowTabs, PAGE_LIMIT_MS } from "./flow_tab.js";
import { withinLimit } from "./inject.js";
import { LabsSessions } from "./labs_session.js";
import { callInBatchexecute } from "./lanes/batchexecute.js";
import { callInLabs } from "./lanes/labs.js";
import { CannotCall } from "./protocol.js";
import { Redirects } from "./redirects.js";
import { forgetAnswer, recallAnswer } from "../page/kept.js";

/** @typedef {import("./protocol.js").Call} Call */
/** @typedef {import("./flow_api.js").Row} Row */
/** @typedef {import("./lanes/answer.js").Answer} Answer */
/** @typedef {(phase: "minting" | "sent") => Promise<void>} Reach */

/** A call that was sent ends by itself within the longest limit of the table. */
const RECALL_LIMIT_MS = 310_000;
const SERVICE_TIERS = ["", "Entry", "Intermediate", "Advanced"];

export class Flow {
  sessions = new LabsSessions();
  redirects = new Redirects();
  /** As Flow told last, and of which account. @type {{credits: number | null, tier: string | null, account: string | null}} */
  #balance = { credits: null, tier: null, account: null };
  #captcha;
  #simulated;

  /**
   * @param {() => void} changed
   * @param {() => boolean} simulated What the FlowKit at the other end works with.
   */
  constructor(changed, simulated) {
    this.tabs = new FlowTabs(this.sessions, changed);
    this.#captcha = new Captcha((shown) => this.tabs.noteChallenge(shown));
    this.#simulated = simulated;
  }

  /**
   * Make one checked call.
   * @param {Call} call
   * @param {Row} row
   * @param {Reach} reach
   * @returns {Promise<Answer>}
   * @throws {CannotCall}
   */
  async perform(call, row, reach) {
    const late = new CannotCall("NO_FLOW_TAB", "the Flow tab does not answer");
    const page = await withinLimit(this.tabs.pageFor(call, this.#simulated()), 2 * PAGE_LIMIT_MS, late);
    const limitMs = Math.min(call.timeout_s, row.limitS) * 1000;
    let doubted = false;
    const tools = {
      reach,
      mint: (/** @type {import("./page.js").Page} */ page, /** @type {string} */ action) =>
        this.#captcha.mint(page, action),
      doubt: () => (doubted = true),
      sessions: this.sessions,
      redirects: this.redirects,
    };
    if (row.paid) this.#pays(page.seen.account, call.account ?? null);
    const made = this.tabs.reloads.during(page, () =>
      row.lane === "labs"
        ? callInLabs(call, row, page, limitMs, tools)
        : callInBatchexecute(call, page, limitMs, tools),
    );
    // Not before this call is over: it would be in its own way.
    const answer = await made.finally(() => doubted && this.tabs.doubt(page).catch(() => {}));
    if (call.name === "account.credits") this.#readBalance(row.lane, answer.body, page.seen.account);
    return answer;
  }

  /** Who is signed in now and who paid last, if those are two. @returns {import("./ask.js").Accounts | null} */
  get otherAccount() {
    const now = this.tabs.wire.account ?? null;
    const before = this.tabs.memory.account;
    return now !== null && before !== null && now !== before ? { now, before } : null;
  }

  /**
   * A paid call is about to be made as this account.
   * @param {string | null} account
   * @param {string | null} ordered Who was signed in when the call came: its projects and pictures are theirs.
   * @throws {CannotCall} It is another one than either, and the person has not said that this is right.
   */
  #pays(account, ordered) {
    const { memory } = this.tabs;
    if (account === null) return;
    if (ordered !== null && ordered !== account) {
      throw new CannotCall("NO_FLOW_TAB", "another account is signed in to Flow than when this call was ordered");
    }
    memory.account ??= account;
    if (memory.account === account) return;
    throw new CannotCall("NO_FLOW_TAB", "another account is signed in to Flow than the one that paid last", {
      nextStep: "Say in the panel whether this account is to be used, or switch the account in the Flow tab.",
    });
  }

  /**
   * What a page keeps of a call that was sent before this worker's life; waited for while it is under way.
   * @param {string} id
   * @returns {Promise<unknown>} Null if no page knows it.
   */
  async recall(id) {
    await this.tabs.look();
    const asked = this.tabs.pages().map(async (page) => {
      const kept = await this.tabs.reloads.during(page, () => page.run(recallAnswer, [id], RECALL_LIMIT_MS));
      if (kept === null || /** @type {any} */ (kept).unknown) throw new Error("unknown");
      return kept;
    });
    return Promise.any(asked).catch(() => null);
  }

  /** @param {string} id */
  forget(id) {
    for (const page of this.tabs.pages()) page.run(forgetAnswer, [id], PAGE_LIMIT_MS).catch(() => {});
  }

  /**
   * For the panel only; read with care, since it comes from a page (flow-wire §3.1).
   * @param {string} lane
   * @param {string} body
   * @param {string | null} account
   */
  #readBalance(lane, body, account) {
    const read = lane === "labs" ? readLabsBalance(body) : readBatchBalance(body);
    if (read !== null) this.#balance = { ...read, account };
  }

  /** Balance and tier of the account in use, where they are known. */
  get balance() {
    const { credits, tier, account } = this.#balance;
    const same = account === (this.tabs.wire.account ?? null);
    return { credits: same ? credits : null, tier: same ? tier : null };
  }
}

/** @param {string} body */
function readBatchBalance(body) {
  const payload = /\["wrb\.fr","[A-Za-z0-9]{5,6}","\[(\d{1,9}),[^,]*,[^,]*,(\d)[,\]]/.exec(body);
  return payload ? { credits: Number(payload[1]), tier: SERVICE_TIERS[Number(payload[2])] || null } : null;
}

/** @param {string} body */
function readLabsBalance(body) {
  try {
    const { credits, serviceTier } = JSON.parse(body);
    if (!Number.isSafeInteger(credits)) return null;
    const tier = /^SERVICE_TIER_([A-Z]{1,20})$/.exec(serviceTier)?.[1] ?? "";
    return { credits, tier: tier ? tier[0] + tier.slice(1).toLowerCase() : null };
  } catch {
    return null;
  }
}

/**
 * The line of the log for a call that has ended.
 * @param {Call} call
 * @param {Answer | null} answer
 * @param {CannotCall | null} error
 * @param {number} ms
 */
export function logLine(call, answer, error, ms) {
  const { name, credits, paid } = call;
  const outcome = answer ? (answer.status === 200 ? "done" : `HTTP ${answer.status}`) : (error?.code ?? "LOST");
  return { at: Date.now(), name, what: callInWords(call), outcome, credits: paid ? credits : 0, ms };
}
