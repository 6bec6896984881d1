"""The pages a browser is served: Flow's shell with its bootstrap values, and the sign-in stand-in (flow-wire §1.1)."""

from __future__ import annotations

import html
import json
from typing import Any

from flowkit_mcp.simulator.captcha import SITE_KEY
from flowkit_mcp.simulator.state import Session

#: Plays reCAPTCHA Enterprise in the page: asks the simulator for a token instead of Google.
GRECAPTCHA = """
window.grecaptcha = {enterprise: {
  ready: (callback) => callback(),
  execute: async (siteKey, {action}) => {
    const reply = await fetch('/recaptcha/token', {
      method: 'POST', credentials: 'include', body: new URLSearchParams({action}),
    });
    if (!reply.ok) throw new Error('reCAPTCHA: ' + reply.status);
    return (await reply.json()).token;
  },
}};
"""

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-content: center; justify-items: center; gap: .75rem;
  background: light-dark(#f7f7f8, #131316); color: light-dark(#1c1c1f, #ececf0); text-align: center; padding: 1rem; }
b { letter-spacing: .2em; color: light-dark(#9a3412, #fdba74); } p { margin: 0; max-width: 36rem; }
a { color: light-dark(#1d4ed8, #93c5fd); }
"""


def flow_page(session: Session | None, build_label: str) -> str:
    """Flow's page; status 200 and the same shell whether signed in or not. Signed out it has no `SNlM0e`."""
    values: dict[str, Any] = {"cfb2h": build_label, "qwAQke": "AiSandboxAngularFrontend"}
    if session is not None:
        values |= {"SNlM0e": session.at, "FdrFJe": session.sid, "oPEP7c": session.account}
        captcha = f'<script src="/recaptcha/enterprise.js?render={SITE_KEY}"></script>'
        who = (
            f'<p>Signed in as <span id="account">{html.escape(session.account)}</span> · '
            '<a href="/made">what it has made</a> · <a href="/signout">sign out</a></p>'
        )
    else:
        captcha = ""
        who = '<p>Signed out. <a href="/signin">Sign in</a></p>'
    # In a script element only `<` can end the text early.
    data = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Flow (simulated)</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>window.WIZ_global_data = {data};</script>
{captcha}<style>{_STYLE}</style></head>
<body><b>SIMULATED</b><h1>Flow</h1>
<p>This is FlowKit's local simulator, not Google Flow. Nothing here costs anything.</p>
{who}</body></html>
"""


def labs_page(session: Session | None) -> str:
    """The page of lane labs: no bootstrap values and no bearer in it, those come from the session call."""
    data = {"page": "/fx/tools/flow", "props": {"pageProps": {"signedIn": session is not None}}}
    captcha, who = "", '<p>Signed out. <a href="/signin">Sign in</a></p>'
    if session is not None:
        captcha = f'<script src="/recaptcha/enterprise.js?render={SITE_KEY}"></script>'
        name = html.escape(session.account)
        who = f'<p>Signed in as <span id="account">{name}</span></p>'
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Flow (simulated, labs)</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
{captcha}<style>{_STYLE}</style></head>
<body><b>SIMULATED</b><h1>Flow</h1>
<p>This is FlowKit's local simulator, not Google Flow. Nothing here costs anything.</p>
{who}<script id="__NEXT_DATA__" type="application/json">{text}</script></body></html>
"""


ABOUT = """<!doctype html>
<html><head><title>About Flow (simulated)</title></head><body><h1>Flow is not here for this account.</h1>
<p>It is still served <a href="/fx/tools/flow">in the old place</a>. (Simulated.)</p></body></html>
"""

SORRY = """<!doctype html>
<html><head><title>Sorry...</title></head><body><h1>We're sorry...</h1>
<p>Our systems have detected unusual traffic from your computer network. (Simulated.)</p></body></html>
"""
