// @ts-check
/** What is the case with Flow, in words: one state per situation, each with what to do next. */

/** @typedef {import("./seen.js").Seen} Seen */
/**
 * @typedef {object} Tab
 * @property {number} id
 * @property {string} title
 * @property {"seen"|"loading"|"silent"|"frozen"|"discarded"|"withheld"} standing `silent`: it does not answer.
 * @property {Seen} [seen]
 * @property {string} [late] The document that it showed before it was late to answer, and may still show.
 * @property {boolean} [outdated] Flow no longer answers this page as it stands.
 * @property {boolean} active
 */
/** @typedef {{flow: boolean, labs: boolean, api: boolean}} Granted Which of Flow's hosts Chrome lets us see. */
/** @typedef {{state: string, message: string, next_step: string}} Words */

/** What the tab's standing and the sign-in do not tell: FlowKit hears it in these words. */
const FOR_A_PERSON = new Set([
  "person_needed", "other_account", "no_permission", "no_api_permission", "not_served", "outdated", "silent",
]);

/** @type {Record<string, [string, string]>} */
const WORDS = {
  ready: ["Flow is ready.", ""],
  none: ["No Flow tab is open.", "Open Flow and sign in."],
  no_permission: [
    "Chrome does not let this extension see flow.google.com.",
    "Press “Allow” below, or allow it in Chrome: Extensions, FlowKit, Details, Site access.",
  ],
  loading: ["The Flow tab is loading.", "Wait a moment."],
  silent: ["The Flow tab does not answer.", "Click the Flow tab; if it stays so, reload it."],
  frozen: ["Chrome has put the Flow tab to sleep.", "Click the Flow tab once: that wakes it."],
  discarded: ["Chrome has unloaded the Flow tab to save memory.", "Click the Flow tab once: Chrome then loads it again."],
  signed_out: ["Nobody is signed in to Flow.", "Sign in in the Flow tab."],
  not_served: [
    "Flow is not served here for this account.",
    "Open Flow at labs.google, or sign in with another account.",
  ],
  outdated: ["The Flow page is out of date: Flow no longer answers it.", "Reload the Flow tab."],
  no_api_permission: [
    "Flow at labs.google needs one more permission.",
    "Press “Allow labs.google” below.",
  ],
  person_needed: [
    "Flow wants to see that a person is there.",
    "Show the Flow tab and complete the check there.",
  ],
  other_account: ["Flow is signed in with another account than before.", ""],
};

/**
 * @param {string} state
 * @returns {Words}
 */
export function words(state) {
  const [message, next_step] = WORDS[state];
  return { state, message, next_step };
}

/**
 * The tab to work in: signed in before signed out, the account of last time, a project page (only those have
 * a captcha), the one already in use.
 * @param {Tab[]} tabs
 * @param {{chosen?: number, account: string | null}} before
 * @returns {Tab | undefined}
 */
export function choose(tabs, { chosen, account }) {
  const rank = (/** @type {Tab} */ tab) => {
    const { seen } = tab;
    if (!seen) {
      return { seen: 0, loading: 40, silent: 30, frozen: 20, discarded: 10, withheld: 5 }[tab.standing];
    }
    if (seen.about || tab.outdated) return 45;
    return (
      (seen.signedIn ? 100 : 50) +
      (account !== null && seen.account === account ? 20 : 0) +
      (seen.captcha ? 10 : 0) +
      (/\/project\//.test(seen.path) ? 5 : 0) +
      (tab.id === chosen ? 3 : 0) +
      (tab.active ? 1 : 0)
    );
  };
  return [...tabs].sort((a, b) => rank(b) - rank(a))[0];
}

/**
 * Pages of an account that has meanwhile been replaced by another one: what is asked from them would be asked
 * as the other. The page loaded last tells who it is now.
 * @param {Seen[]} pages In the order in which they were first seen.
 * @returns {string[]} Their documents.
 */
export function superseded(pages) {
  return pages
    .filter((page, i) =>
      pages.slice(i + 1).some(
        (later) =>
          later.lane === page.lane && later.user === page.user && later.signedIn && later.account !== page.account,
      ),
    )
    .map(({ documentId }) => documentId);
}

/**
 * @param {Tab | undefined} tab The chosen one.
 * @param {Granted} granted
 * @param {{account: string | null}} known The account last worked with.
 * @returns {Words}
 */
export function situation(tab, granted, { account }) {
  if (tab === undefined) return words(granted.flow ? "none" : "no_permission");
  const { seen } = tab;
  if (!seen) return words(tab.standing === "withheld" ? "no_permission" : tab.standing);
  if (tab.outdated) return words("outdated");
  if (seen.about) return words("not_served");
  if (seen.lane === "labs" && !granted.api) return words("no_api_permission");
  if (!seen.signedIn) return words("signed_out");
  if (seen.challenge) return words("person_needed");
  if (account !== null && seen.account !== null && seen.account !== account) {
    const told = words("other_account");
    return {
      ...told,
      message: `Flow is signed in as ${seen.account}. The last paid work was done as ${account}.`,
      next_step: "If this one is to pay from now on, press “Use this account”. If not, switch the account in the Flow tab.",
    };
  }
  return words("ready");
}

/**
 * @param {Tab | undefined} tab
 * @param {Words} told The situation.
 * @param {{simulated: boolean, pageLoads: number}} more `simulated`: as last seen, for when there is no tab.
 * @returns {import("./protocol.js").FlowState}
 */
export function wireState(tab, told, { simulated, pageLoads }) {
  const seen = tab?.seen;
  /** @type {import("./protocol.js").FlowState} */
  const wire = {
    tab: "none",
    signed_in: false,
    simulated: seen ? seen.simulated : simulated,
    page_loads: pageLoads,
  };
  if (tab !== undefined) {
    const standing = tab.standing;
    if (seen) wire.tab = "ready";
    else if (standing === "loading" || standing === "discarded" || standing === "frozen") wire.tab = standing;
    else wire.tab = standing === "silent" ? "frozen" : "none";
  }
  if (seen && !seen.about) {
    wire.lane = seen.lane;
    wire.signed_in = ["ready", "person_needed", "other_account"].includes(told.state);
    if (seen.account !== null) wire.account = seen.account.slice(0, 200);
  }
  if (FOR_A_PERSON.has(told.state)) {
    wire.person_needed = `${told.message}\n${told.next_step}`.slice(0, 500).toWellFormed();
  }
  return wire;
}
