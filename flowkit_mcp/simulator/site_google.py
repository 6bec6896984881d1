"""Google's part of the simulated site: who is signed in (accounts.google.com) and captcha tokens (www.google.com)."""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from flowkit_mcp.simulator import site_pages
from flowkit_mcp.simulator.captcha import ANYONE, SITE_KEY
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.site_hosts import ACCOUNTS, COOKIES, FLOW, LABS, nothing, set_cookie
from flowkit_mcp.simulator.state import Session

_ARRIVALS = {FLOW: "/accounts/SetOSID", LABS: "/fx/api/auth/callback/google"}


class GoogleHosts:
    """Answers for both hosts. Sign-ins and challenges under way live in memory only."""

    def __init__(self, service: FlowService) -> None:
        self._service = service
        self.challenge = False
        self.captcha_delay_s = 0.0
        #: Shown and not yet clicked: account and action.
        self._challenges: dict[str, tuple[str, str]] = {}
        #: The browser is being sent to a host that will set this cookie and send it on to there.
        self._codes: dict[str, tuple[str, str]] = {}

    # Sign-in

    def accounts(self, request: Request) -> Response:
        """Sign-in and sign-out: one session each for google.com, flow.google.com and labs.google."""
        target = request.query_params.get("continue", "")
        if urlsplit(target).hostname not in (FLOW, LABS):
            target = f"https://{FLOW}/"
        if request.url.path == "/Logout":
            self._service.sign_out(request.cookies.get(COOKIES[ACCOUNTS]))
            return self._round_trip("", "", "", target)
        if request.url.path != "/signin":
            return nothing()
        account = request.query_params.get("account")
        if not account:
            return site_pages.sign_in_page(list(self._service.state.accounts), target)
        own, flow, labs = (self._service.sign_in(account) for _ in range(3))
        return self._round_trip(own, flow, labs, target)

    def arrive(self, request: Request, host: str) -> Response:
        """On the way back from accounts.google.com: this host sets, or takes away, its own cookie."""
        found = self._codes.pop(request.query_params.get("code", ""), None)
        if found is None:
            return nothing()
        cookie, then = found
        if not cookie:
            self._service.sign_out(request.cookies.get(COOKIES[host]))
        reply = RedirectResponse(then, HTTPStatus.SEE_OTHER)
        set_cookie(reply, host, cookie)
        return reply

    def _round_trip(self, own: str, flow: str, labs: str, target: str) -> Response:
        way = self._by_way_of(FLOW, flow, self._by_way_of(LABS, labs, target))
        reply = RedirectResponse(way, HTTPStatus.SEE_OTHER)
        set_cookie(reply, ACCOUNTS, own)
        return reply

    def _by_way_of(self, host: str, cookie: str, then: str) -> str:
        code = secrets.token_urlsafe(18)
        self._codes[code] = (cookie, then)
        return f"https://{host}{_ARRIVALS[host]}?code={code}"

    # Captcha

    async def captcha(self, request: Request, session: Session | None) -> Response:
        """The script, and what it asks for: a token, or a click and then a token."""
        path = request.url.path
        if path == "/recaptcha/enterprise.js":
            return Response(site_pages.text("site_captcha.js"), media_type="text/javascript")
        if path == "/recaptcha/enterprise/bframe":
            return site_pages.challenge_page()
        if request.method != "POST":
            return nothing()
        try:
            body = await request.body()
        except ClientDisconnect:  # the page was left while it was held
            return nothing()
        form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
        said = {name: values[0] for name, values in form.items()}
        if said.get("k") != SITE_KEY:
            return JSONResponse({"error": "site key"}, HTTPStatus.BAD_REQUEST)
        await asyncio.sleep(self.captcha_delay_s)
        if path == "/recaptcha/enterprise/userverify":
            passed = self._challenges.pop(said.get("c", ""), None)
            return self._minted(*passed) if passed else nothing()
        if path != "/recaptcha/enterprise/reload" or not said.get("action"):
            return nothing()
        account = session.account if session else ANYONE
        if self.challenge:
            shown = secrets.token_urlsafe(18)
            self._challenges[shown] = (account, said["action"])
            return JSONResponse({"challenge": shown})
        return self._minted(account, said["action"])

    def _minted(self, account: str, action: str) -> Response:
        newest_only = self._service.state.switches.captcha_parallel == "newest_only"
        token = self._service.captcha.mint(account, action, newest_only=newest_only)
        return JSONResponse({"token": token}, headers={"cache-control": "no-store"})
