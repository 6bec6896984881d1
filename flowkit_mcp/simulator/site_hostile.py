"""What a page that means harm could do to a client inside it, each a script that the site runs on request.

They run right after the page's own values and before anything else, as a compromised page would.
"""

from __future__ import annotations

#: By name, for `Site.hostile`.
SCRIPTS = {
    # The captcha
    "captcha_rejects": "hook(() => Promise.reject(new Error('no captcha today')));",
    "captcha_throws": "hook(() => { throw {toString() { throw 1; }}; });",
    "captcha_never_settles": "hook(() => new Promise(() => {}));",
    "captcha_not_text": "hook(() => ({token: 'x', toJSON() { return 'y'; }}));",
    "captcha_huge": "hook(() => 'x'.repeat(100 * 1024 * 1024));",
    "captcha_quotes": "hook(() => 'a\"],[\"injected\",\"' + 'b'.repeat(2000));",
    "no_captcha": "Object.defineProperty(window, 'grecaptcha', {get: () => undefined, set() {}});",
    # The page's values
    "values_huge": "window.WIZ_global_data.SNlM0e = 'x'.repeat(100 * 1024 * 1024);",
    "values_objects": "window.WIZ_global_data.SNlM0e = {toString: () => 'a&f.req=evil'};",
    "values_elsewhere": "window.WIZ_global_data.cfb2h = 'x&rpcids=evil#@evil.example/';",
    "values_throw": "Object.defineProperty(window, 'WIZ_global_data', {get() { throw new Error('no'); }});",
    # What any script of the page can replace
    "fetch_listens": """
        const real = window.fetch; window.heard = [];
        window.fetch = (...all) => { window.heard.push(all); return real.apply(window, all); };""",
    "fetch_lies": """
        window.fetch = async () => ({ok: true, status: 200, headers: {get() { throw 1; }}, text: () => 7});""",
    "fetch_never_settles": "window.fetch = () => new Promise(() => {});",
    "prototypes": """
        Object.defineProperty(Object.prototype, 'id', {set() { window.polluted = true; }, configurable: true});
        Array.prototype.toJSON = () => 'polluted'; Promise.prototype.finally = undefined;""",
    "map_forged": """
        for (const name of Object.getOwnPropertySymbols(window)) delete window[name];
        Map.prototype.get = () => Promise.resolve({status: 200, body: 'forged'});
        Map.prototype.has = () => true;""",
}

#: Every reading of `grecaptcha` finds the page's own `execute` replaced.
_HOOK = """
const hook = (execute) => {
  let theirs;
  Object.defineProperty(window, 'grecaptcha', {
    configurable: true,
    get: () => theirs && {enterprise: {ready: (f) => f(), execute}},
    set: (value) => { theirs = value; },
  });
};
"""


def script(name: str) -> str:
    """The text of one of `SCRIPTS`; raises KeyError for a name that is none."""
    return f"(() => {{{_HOOK}{SCRIPTS[name]}}})();"
