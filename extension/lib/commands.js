// @ts-check
/** What the person does in the panel. Each command either works or is answered with why not and what to do. */

import { CannotCall } from "./protocol.js";

const LONGEST_LABEL = 80;

/**
 * @typedef {object} Worker
 * @property {import("./socket.js").Link} link
 * @property {import("./settings.js").Settings} settings
 * @property {import("./flow.js").Flow} flow
 * @property {import("./ask.js").Approvals} approvals
 * @property {import("./log.js").CallLog} log
 * @property {() => string} diagnostics
 * @property {(account: string) => void} useAccount
 * @property {() => void} dismiss Take the last error down.
 * @property {() => void} changed
 */

/** @param {string} message @param {string} nextStep */
const refuse = (message, nextStep) => new CannotCall("REFUSED", message, { nextStep });

/** @type {Record<string, (worker: Worker, message: any) => Promise<object | void>>} */
const COMMANDS = {
  async pair({ link }, { code }) {
    if (!(await link.pair(code))) {
      throw refuse("This is not a pairing code.", "Run flowkit-mcp pair and paste the whole line.");
    }
  },
  async unpair({ link }) {
    await link.unpair();
  },
  async reconnect({ link }) {
    link.hurry();
  },
  async pause({ link, settings, changed }, { paused }) {
    await settings.save({ paused: paused === true });
    link.send({ type: "pause", paused: settings.paused });
    changed();
  },
  async ask({ settings, changed }, { ask }) {
    await settings.save({ ask: ask === true });
    changed();
  },
  async answer({ approvals }, { id, yes }) {
    if (!approvals.answer(id, yes === true)) {
      throw refuse("This call does not wait any more.", "Nothing needs to be done.");
    }
  },
  async use_account({ flow, useAccount }, { account }) {
    if (account !== flow.otherAccount?.now) {
      throw refuse("That account is not signed in to Flow any more.", "Look at the Flow tab.");
    }
    useAccount(account);
  },
  async dismiss({ dismiss }) {
    dismiss();
  },
  async show_tab({ flow }) {
    await flow.tabs.show();
  },
  async open_flow({ flow }) {
    await flow.tabs.open();
  },
  async rename({ link, settings, changed }, { label }) {
    const name = typeof label === "string" ? label.replace(/\p{C}+/gu, " ").trim() : "";
    if (name === "") throw refuse("A name needs at least one letter.", "Type a name for this browser profile.");
    await settings.save({ label: [...name].slice(0, LONGEST_LABEL / 2).join("") });
    changed();
    link.renew(); // the name is told in the handshake
  },
  async clear_log({ log, changed }) {
    log.clear();
    changed();
  },
  async diagnostics({ diagnostics }) {
    return { type: "diagnostics", text: diagnostics() };
  },
};

/**
 * @param {Worker} worker
 * @param {any} message From one of our own pages.
 * @param {(message: object) => void} reply
 */
export async function obey(worker, message, reply) {
  const of = typeof message?.type === "string" ? message.type : "";
  try {
    if (!Object.hasOwn(COMMANDS, of)) throw refuse("The panel asked for something unknown.", "Close and open the panel.");
    const answer = await COMMANDS[of](worker, message);
    if (answer) reply(answer);
  } catch (error) {
    const known = error instanceof CannotCall;
    reply({
      type: "refused",
      of,
      message: known ? error.message : "That did not work.",
      next_step: known ? error.nextStep : "Try again, or reload the extension.",
    });
  }
}
