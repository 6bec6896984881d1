"""The pages of the simulated site: as Flow's carry their values and are guarded, and worth looking at.

`page.py` has the plain ones that the simulator shows under its own address.
"""

from __future__ import annotations

import html
import json
import secrets
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from flowkit_mcp.simulator.captcha import SITE_KEY
from flowkit_mcp.simulator.site_hosts import ACCOUNTS, FLOW, GOOGLE, LABS
from flowkit_mcp.simulator.state import Lane

#: What tells a client that this is not Google's: on every page, in both lanes.
MARK = '<meta name="flowkit-simulator" content="1">'
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E"
    "%3Ccircle cx='4' cy='4' r='3' fill='%23ff7a59'/%3E%3C/svg%3E"
)


@cache
def text(name: str) -> str:
    """One of the files beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def in_script(value: Any) -> str:
    """JSON for a script element, where only `<` can end the text early."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def app_page(
    lane: Lane,
    *,
    account: str | None,
    values: dict[str, Any] | None,
    captcha: bool,
    hostile: str | None,
    every_ms: int,
    path: str,
) -> Response:
    """Flow itself. `values` becomes `WIZ_global_data`; None in lane labs, which has none (flow-wire §1.2)."""
    nonce = secrets.token_urlsafe(18)
    host = FLOW if lane == "batchexecute" else LABS
    scripts = [f"window.WIZ_global_data = {in_script(values)};"] if values is not None else []
    scripts += [hostile] if hostile else []
    head = "".join(f'<script nonce="{nonce}">{one}</script>\n' for one in scripts)
    if captcha:
        source = f"https://{GOOGLE}/recaptcha/enterprise.js?render={SITE_KEY}"
        head += f'<script nonce="{nonce}" src="{source}" async defer></script>\n'
    facts = {
        "lane": lane,
        "signedIn": account is not None,
        "everyMs": every_ms,
        "tiles": f"{'/_/sim' if lane == 'batchexecute' else '/fx/_sim'}/tiles?page={path}",
        "project": "/project/" if lane == "batchexecute" else "/fx/tools/flow/project/",
    }
    home = "/" if lane == "batchexecute" else "/fx/tools/flow"
    name = html.escape(account or "")
    if account is None:
        here = f"https://{host}{path}"
        way = f"https://{ACCOUNTS}/signin?continue={here}"
        who = f'<a href="{html.escape(way)}">Sign in</a>'
        middle = (
            "<div class=empty><h2>Signed out</h2><p>Flow needs an account. This is the simulated one: "
            f'any name will do.</p><a class=button href="{html.escape(way)}">Sign in</a></div>'
        )
    else:
        who = (
            f"<span class=credits></span><span class=who><span class=face>{name[:1]}</span>"
            f"<span id=account>{name}</span>"
            f'<a href="https://{ACCOUNTS}/Logout?continue=https://{host}{home}">Sign out</a></span>'
        )
        middle = (
            "<nav><ul class=projects></ul></nav><div class=grid></div><div class=empty hidden>"
            "<h2>Nothing made yet</h2><p>What FlowKit makes in this project appears here.</p></div>"
        )
    next_data = ""
    if (
        lane == "labs"
    ):  # what the real page carries instead of values; no bearer in it (flow-wire §1.2)
        props = {"page": home, "props": {"pageProps": {"signedIn": account is not None}}}
        next_data = (
            f'<script id="__NEXT_DATA__" type="application/json">{in_script(props)}</script>\n'
        )
    body = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Flow (simulated)</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
{MARK}<link rel="icon" href="{ICON}">
{head}<style nonce="{nonce}">{text("site_page.css")}</style></head>
<body><header><a class="brand" href="{home}">Flow</a><span class="simulated">SIMULATED</span><h1></h1>{who}</header>
<main>{middle}</main>
<footer>FlowKit’s local simulator under Flow’s names, on this machine only.
Not Google Flow; nothing here costs anything.</footer>
{next_data}<script type="application/json" id="facts">{in_script(facts)}</script>
<script nonce="{nonce}">{text("site_page.js")}</script></body></html>
"""
    guard = (
        f"script-src 'report-sample' 'nonce-{nonce}' 'strict-dynamic' 'unsafe-inline' https:;"
        "object-src 'none';base-uri 'self';require-trusted-types-for 'script'"
    )
    return HTMLResponse(
        body,
        headers={
            "cache-control": "no-store",
            "content-security-policy": guard,
            "x-frame-options": "SAMEORIGIN",
            "x-content-type-options": "nosniff",
        },
    )


def sign_in_page(accounts: list[str], target: str) -> Response:
    """Who is it? Each known account, and a field for another."""
    links = "".join(
        f'<li><a href="?{html.escape(_query(one, target))}">{html.escape(one)}</a></li>'
        for one in accounts
    )
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in (simulated)</title>{MARK}
<style>{text("site_page.css")}</style></head>
<body><main><div class="empty"><h2>Choose an account</h2><ul class="projects">{links}</ul>
<form><input type="hidden" name="continue" value="{html.escape(target)}">
<label>Another: <input name="account" required pattern="[a-z0-9.-]+"></label> <button class="button">Go</button></form>
</div></main></body></html>
"""
    )


def _query(account: str, target: str) -> str:
    return urlencode({"account": account, "continue": target})


def challenge_page() -> Response:
    """The frame in which a person says that they are one."""
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>reCAPTCHA (simulated)</title>{MARK}
<style>body {{ margin: 0; min-height: 100vh; display: grid; gap: .6rem; place-content: center; justify-items: center;
font: 15px system-ui, sans-serif; background: #fff; color: #222; border: 1px solid #bbb; border-radius: 10px; }}
button {{ padding: .5rem 1.4rem; border: 0; border-radius: 99px; background: #1a73e8; color: #fff; font: inherit; }}
</style>
</head><body>Is somebody there? (Simulated.)<button>I’m a person</button>
<script>
document.querySelector('button').addEventListener('click', async (event) => {{
  if (!event.isTrusted) return;
  const c = new URLSearchParams(location.search).get('c');
  const body = new URLSearchParams({{ k: '{SITE_KEY}', c }});
  const reply = await fetch('/recaptcha/enterprise/userverify', {{ method: 'POST', body }});
  parent.postMessage(await reply.json(), document.referrer || '*');
}});
</script></body></html>
""",
        headers={"cache-control": "no-store"},
    )


ABOUT = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>About Flow (simulated)</title>{MARK}</head>
<body><h1>Flow is not here for this account.</h1>
<p>It is still served <a href="https://{LABS}/fx/tools/flow">in the old place</a>. (Simulated.)</p></body></html>
"""
