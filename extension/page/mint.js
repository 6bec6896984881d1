// @ts-check
/**
 * Runs inside a Flow page (world MAIN): asks the page's own reCAPTCHA for one token, as the page itself does.
 *
 * @param {string} action
 * @param {number} limitMs
 * @returns {Promise<{token: string} | {fault: "NO_GRECAPTCHA" | "CAPTCHA_TIMEOUT" | "CAPTCHA_FAILED"}>}
 */
export async function mintToken(action, limitMs) {
  const page = /** @type {any} */ (window);
  const until = Date.now() + limitMs;
  const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const limit = pause(limitMs).then(() => "late");
  const siteKey = () => {
    for (const { src } of document.scripts) {
      const found = /\/recaptcha\/enterprise\.js\?(?:[^#]*&)?render=([\w-]{10,100})(?:[&#]|$)/.exec(src);
      if (found && found[1] !== "explicit") return found[1];
    }
    return null;
  };
  try {
    // A page that has just loaded may need a moment to load it.
    const patience = Math.min(until, Date.now() + 5000);
    while (!(siteKey() && typeof page.grecaptcha?.enterprise?.execute === "function")) {
      if (Date.now() >= patience) return { fault: "NO_GRECAPTCHA" };
      await pause(100);
    }
    const key = siteKey();
    const enterprise = page.grecaptcha.enterprise;
    const ready = new Promise((resolve) => enterprise.ready(() => resolve("ready")));
    if ((await Promise.race([ready, limit])) === "late") return { fault: "CAPTCHA_TIMEOUT" };
    const minting = Promise.resolve(enterprise.execute(key, { action })).then((token) => ({ token }));
    const minted = await Promise.race([minting, limit]);
    if (typeof minted === "string") return { fault: "CAPTCHA_TIMEOUT" };
    const token = /** @type {any} */ (minted)?.token;
    if (typeof token !== "string" || token === "" || token.length > 16384) {
      return { fault: "CAPTCHA_FAILED" };
    }
    return { token };
  } catch {
    return { fault: "CAPTCHA_FAILED" };
  }
}
