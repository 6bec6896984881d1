// The port between this panel and the extension's worker. Chrome may stop the worker at any moment;
// asking for a port starts it again. While there is no port, whatever the panel shows is old.

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5000;
const SILENCE_MS = 4000;

/**
 * @param {(message: object) => void} onMessage
 * @param {(why: "stopped"|"silent"|"replaced") => void} onGone "replaced": the extension was updated
 *   or reloaded, and this page belongs to the old one.
 * @returns {{send: (message: object) => boolean}} `send` is false when nobody is there to hear.
 */
export function openLink(onMessage, onGone) {
  let port = null;
  let delay = FIRST_DELAY_MS;
  let silence = 0;

  function connect() {
    if (!chrome.runtime?.id) {
      onGone("replaced");
      return;
    }
    let mine;
    try {
      mine = chrome.runtime.connect({ name: "panel" });
    } catch {
      gone("stopped");
      return;
    }
    port = mine;
    silence = setTimeout(() => onGone("silent"), SILENCE_MS);
    mine.onMessage.addListener((message) => {
      if (port !== mine) return;
      clearTimeout(silence);
      delay = FIRST_DELAY_MS;
      onMessage(message);
    });
    mine.onDisconnect.addListener(() => {
      void chrome.runtime?.lastError; // read, or Chrome complains in the console
      if (port === mine) gone("stopped");
    });
  }

  function gone(why) {
    port = null;
    clearTimeout(silence);
    onGone(why);
    setTimeout(connect, delay);
    delay = Math.min(delay * 2, LONGEST_DELAY_MS);
  }

  connect();
  return {
    send(message) {
      if (!port) return false;
      try {
        port.postMessage(message);
        return true;
      } catch {
        return false; // onDisconnect follows
      }
    },
  };
}
