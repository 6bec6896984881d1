// @ts-check
/**
 * The Flow tabs of this browser profile: finding them, looking at them, choosing one.
 *
 * A tab is chosen by what its page answers, not by being first. Nothing is ever opened or shown from here
 * without a click in the panel.
 */

import { Documents } from "./documents.js";
import { FLOW, LABS, LABS_API } from "./flow_api.js";
import { choose, situation, wireState, words } from "./flow_words.js";
import { granted } from "./granted.js";
import { PageFault, runInPage } from "./inject.js";
import { OneAtATime } from "./one_at_a_time.js";
import { Page } from "./page.js";
import { CannotCall } from "./protocol.js";
import { Reloads } from "./reloads.js";
import { readSeen } from "./seen.js";
import { lookAtPage } from "../page/look.js";

/** @typedef {import("./flow_words.js").Tab} Tab */
/** @typedef {import("./labs_session.js").LabsSessions} LabsSessions */

export const PAGE_LIMIT_MS = 10_000;
const LOOK_LIMIT_MS = 2_000;
const MOST_TABS = 8;
const PAGES = [`${FLOW}/*`, `${LABS}/fx`, `${LABS}/fx/*`];
/** Nobody tells when a page answers again: it is looked at so long after each look at which it did not. */
const LOOK_AGAIN_MS = [1_000, 2_000, 4_000, 8_000, 16_000];

export class FlowTabs {
  /** @type {Tab[]} */
  #tabs = [];
  /** @type {import("./flow_words.js").Granted} */
  #granted = { flow: true, labs: false, api: false };
  /** @type {number | undefined} */
  #chosen;
  #documents = new Documents();
  #looks = new OneAtATime(() => this.#lookNow());
  /** Looks in a row at which the chosen tab did not answer. */
  #inVain = 0;
  #timer = 0;
  #sessions;
  #changed;
  reloads = new Reloads();
  /** The account last worked with, and whether Flow was simulated when last seen. @type {{account: string | null, simulated: boolean}} */
  memory = { account: null, simulated: false };

  /**
   * @param {LabsSessions} sessions
   * @param {() => void} changed Called when a look may have changed something.
   */
  constructor(sessions, changed) {
    this.#sessions = sessions;
    this.#changed = changed;
  }

  get #tab() {
    return this.#tabs.find((tab) => tab.id === this.#chosen);
  }

  /** The situation in words. */
  get words() {
    return situation(this.#tab, this.#granted, { account: this.memory.account });
  }

  /** What FlowKit is told. */
  get wire() {
    return wireState(this.#tab, this.words, { simulated: this.memory.simulated, pageLoads: this.#documents.loads });
  }

  /** For the panel. */
  get tabs() {
    return this.#tabs.map(({ id, title }) => ({ id, title, chosen: id === this.#chosen }));
  }

  get chosen() { return this.#chosen; }

  /** Legacy hosts that are wanted now and not granted. */
  get needsHosts() {
    const { flow, labs, api } = this.#granted;
    if (!flow) return [`${FLOW}/*`];
    const legacy = this.#tab?.seen?.lane === "labs" || this.words.state === "not_served";
    if (!legacy) return [];
    return [...(labs ? [] : [`${LABS}/*`]), ...(api ? [] : [`${LABS_API}/*`])];
  }

  /** @param {number} tabId */
  knows(tabId) {
    return this.#tabs.some((tab) => tab.id === tabId);
  }

  /** Look at all Flow tabs. */
  look() {
    return this.#looks.run();
  }

  async #lookNow() {
    this.#granted = await granted();
    const open = await chrome.tabs.query({ url: PAGES });
    open.sort((a, b) => Number(this.knows(b.id ?? -1)) - Number(this.knows(a.id ?? -1))); // of many, these stay
    const tabs = await Promise.all(open.slice(0, MOST_TABS).map((tab) => this.#lookAt(tab)));
    this.#documents.sort(tabs);
    this.#tabs = tabs;
    const chosen = choose(tabs, { chosen: this.#chosen, account: this.memory.account });
    if (chosen && chosen.id !== this.#chosen) {
      // So that Chrome does not unload it while work is under way. No permission is needed for this.
      chrome.tabs.update(chosen.id, { autoDiscardable: false }).catch(() => {});
    }
    this.#chosen = chosen?.id;
    if (chosen?.seen) this.memory.simulated = chosen.seen.simulated;
    this.#sessions.keepOnly(this.#documents.all);
    this.#lookAgain(["loading", "silent", "frozen"].includes(chosen?.standing ?? ""));
    this.#changed();
  }

  /** @param {boolean} waits Whether the chosen tab may answer by itself. If not soon, the alarm goes on asking. */
  #lookAgain(waits) {
    clearTimeout(this.#timer);
    const wait = waits ? LOOK_AGAIN_MS[this.#inVain] : undefined;
    this.#inVain = waits ? this.#inVain + 1 : 0;
    if (wait) this.#timer = setTimeout(() => this.look().catch(() => {}), wait);
  }

  /**
   * @param {chrome.tabs.Tab} tab
   * @returns {Promise<Tab>}
   */
  async #lookAt(tab) {
    const id = /** @type {number} */ (tab.id);
    /** @type {Tab} */
    const about = { id, title: tab.title ?? "", standing: "loading", active: tab.active };
    if (tab.discarded) return { ...about, standing: "discarded" };
    const before = this.#tabs.find((one) => one.id === id);
    try {
      const times = before && !before.seen ? 1 + this.#inVain : 1; // a slow page gets there, too
      const limitMs = Math.min(times * LOOK_LIMIT_MS, PAGE_LIMIT_MS);
      const { value, documentId } = await runInPage({ tabId: id }, lookAtPage, [], limitMs);
      const seen = await readSeen(value, documentId);
      if (seen === null) {
        // What Chrome says of the tab may be of the page before this one.
        const loads = tab.status !== "complete" || /** @type {any} */ (value)?.ready === "loading";
        return { ...about, standing: loads ? "loading" : "silent" };
      }
      const told = seen.lane !== "labs" || (await this.#askSession(new Page(id, seen)));
      return told ? { ...about, standing: "seen", seen } : { ...about, standing: "silent", late: documentId };
    } catch (error) {
      if (!(error instanceof PageFault)) throw error;
      if (error.why === "withheld") return { ...about, standing: "withheld" };
      if (error.why === "gone") return about;
      const asleep = /** @type {any} */ (tab).frozen === true || tab.status === "complete";
      const { seen, late = seen?.documentId } = before ?? {};
      return { ...about, standing: asleep ? "frozen" : "loading", late };
    }
  }

  /**
   * A page of labs.google tells who is signed in only when asked: once per document.
   * @param {Page} page
   * @returns {Promise<boolean>} Whether it told.
   */
  async #askSession(page) {
    const session = await this.#sessions.known(page, PAGE_LIMIT_MS);
    if (session === null) return false;
    page.seen.signedIn = session.signedIn;
    page.seen.account = session.account;
    if (session.moved) this.#documents.doubt(page.seen.documentId, this.#tabs);
    return true;
  }

  /**
   * The page to make this call in, looked at just now.
   * @param {{lane: string, captcha?: string | null}} call
   * @param {boolean} simulated What the FlowKit at the other end works with.
   * @returns {Promise<Page>}
   * @throws {CannotCall} Nothing has left.
   */
  async pageFor(call, simulated) {
    const until = Date.now() + PAGE_LIMIT_MS;
    for (let first = true; ; first = false) {
      if (!(first && (await this.#stillGood()))) await this.look();
      const tab = this.#tab;
      const waits = tab?.standing === "loading" && Date.now() < until;
      if (!waits) return this.#usable(tab, call, simulated);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  /** The chosen tab alone is looked at where that is enough: another one that sleeps takes seconds. */
  async #stillGood() {
    const before = this.#tab;
    const tab = before?.seen ? await chrome.tabs.get(before.id).catch(() => null) : null;
    if (!before || !tab) return false;
    const now = await this.#lookAt(tab);
    if (now.seen?.documentId !== before.seen?.documentId) return false;
    now.outdated = before.outdated;
    this.#tabs = this.#tabs.map((one) => (one === before ? now : one));
    this.#changed();
    return ["ready", "other_account"].includes(this.words.state);
  }

  /**
   * @param {Tab | undefined} tab
   * @param {{lane: string, captcha?: string | null}} call
   * @param {boolean} simulated
   */
  #usable(tab, { lane, captcha }, simulated) {
    const { state, message, next_step: nextStep } = this.words;
    /** @type {Record<string, string>} */
    const codes = {
      discarded: "FLOW_TAB_DISCARDED",
      signed_out: "NOT_SIGNED_IN",
      outdated: "NO_FLOW_TAB",
      no_permission: "HOST_PERMISSION_WITHHELD",
      no_api_permission: "HOST_PERMISSION_WITHHELD",
    };
    const good = ["ready", "other_account", "person_needed"].includes(state);
    if (!tab?.seen || !good) throw new CannotCall(codes[state] ?? "NO_FLOW_TAB", message, { nextStep });
    if (tab.seen.simulated !== simulated) {
      const kind = tab.seen.simulated ? "a simulated" : "the real";
      throw new CannotCall("NO_FLOW_TAB", `this tab shows ${kind} Flow, and FlowKit works with the other`);
    }
    if (tab.seen.lane !== lane) {
      throw new CannotCall("NO_FLOW_TAB", `this account is served in lane ${tab.seen.lane}`);
    }
    if (captcha && !tab.seen.captcha && !/\/project\//.test(tab.seen.path)) {
      throw new CannotCall("NO_GRECAPTCHA", "this page of Flow has no captcha", {
        nextStep: "Open a project in the Flow tab.",
      });
    }
    return new Page(tab.id, tab.seen);
  }

  /**
   * Flow answered as if this page were of yesterday (signed out, moved to the other lane): show that, and load
   * it anew where that is in nobody's way.
   * @param {Page} page
   */
  async doubt(page) {
    this.#documents.doubt(page.seen.documentId, this.#tabs); // at once: nothing new begins in a page that goes
    const until = Date.now() + ((await this.reloads.reload(page)) ? PAGE_LIMIT_MS : 0);
    do {
      await new Promise((resolve) => setTimeout(resolve, 250));
      await this.look();
      // Until the next page is there the old one may still answer, or neither.
    } while (["loading", "outdated", "silent", "frozen"].includes(this.words.state) && Date.now() < until);
  }

  /** @param {boolean} shown A check for a person has come up, or gone, while a token was waited for. */
  noteChallenge(shown) {
    const seen = this.#tab?.seen;
    if (!seen || seen.challenge === shown) return;
    seen.challenge = shown;
    this.#changed();
  }

  /** All pages that answer, for calls whose page is not known any more. @returns {Page[]} */
  pages() {
    return this.#tabs.flatMap((tab) => (tab.seen ? [new Page(tab.id, tab.seen)] : []));
  }

  /** On a click only: bring the Flow tab to the front. */
  async show() {
    const tab = this.#tab;
    if (!tab) throw new CannotCall("NO_FLOW_TAB", words("none").message, { nextStep: words("none").next_step });
    const shown = await chrome.tabs.update(tab.id, { active: true });
    if (shown) await chrome.windows.update(shown.windowId, { focused: true });
  }

  /** On a click only: open Flow where this account is served. */
  async open() {
    const legacy = this.words.state === "not_served" && this.#granted.labs;
    await chrome.tabs.create({ url: legacy ? `${LABS}/fx/tools/flow` : `${FLOW}/` });
  }
}
