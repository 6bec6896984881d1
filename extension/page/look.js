// @ts-check
/**
 * Runs inside a Flow page (world MAIN): what a person would see there. Changes nothing, asks nobody.
 * Functions of this folder are sent into the page as text, so each must stand alone.
 */

export function lookAtPage() {
  try {
    const short = (/** @type {unknown} */ value) =>
      typeof value === "string" && value.length <= 320 ? value : null;
    const page = /** @type {any} */ (window);
    const values = page.WIZ_global_data;
    const scripts = Array.from(document.scripts, (script) => script.src);
    const challenge = Array.from(document.querySelectorAll("iframe")).some((frame) => {
      if (!/\/recaptcha\/(?:enterprise|api2)\/bframe/.test(frame.src)) return false;
      const { width, height, bottom } = frame.getBoundingClientRect();
      return (
        width > 50 && height > 50 && bottom > 0 && getComputedStyle(frame).visibility === "visible"
      );
    });
    return {
      origin: location.origin,
      path: location.pathname.slice(0, 400),
      title: document.title.slice(0, 200),
      ready: document.readyState,
      values: typeof values === "object" && values !== null,
      signedIn: typeof values?.SNlM0e === "string" && values.SNlM0e !== "",
      account: short(values?.oPEP7c),
      simulated: document.querySelector('meta[name="flowkit-simulator"]') !== null,
      captcha: scripts.some((src) => /\/recaptcha\/enterprise\.js\?/.test(src)),
      challenge,
    };
  } catch {
    return null;
  }
}
