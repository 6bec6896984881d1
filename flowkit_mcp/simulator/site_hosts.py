"""Which of Flow's hosts does what, and whom each of them listens to (flow-wire §1.1, §1.2, §7.4).

Cookies and origins are checked as strictly as a careful Flow would: a call that does not look like one of
the page's own is refused, so that a client that cheats is found out here.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

FLOW = "flow.google.com"
LABS = "labs.google"
API = "aisandbox-pa.googleapis.com"
MEDIA = "flow-content.google"
OLD_MEDIA = "storage.googleapis.com"
GOOGLE = "www.google.com"
ACCOUNTS = "accounts.google.com"
HOSTS = (FLOW, LABS, API, MEDIA, OLD_MEDIA, GOOGLE, ACCOUNTS)

#: The cookie that says who is signed in, by host. Of `ACCOUNTS` it is one for all of google.com.
COOKIES = {
    FLOW: "__Secure-OSID",
    LABS: "__Secure-next-auth.session-token",
    GOOGLE: "__Secure-3PSID",
    ACCOUNTS: "__Secure-3PSID",
}
_COOKIE_LIFE_S = 30 * 86_400

#: Pages that may ask another host.
_PAGES = (f"https://{FLOW}", f"https://{LABS}")
MAY_ASK = {API: _PAGES[1:], MEDIA: _PAGES, OLD_MEDIA: _PAGES, GOOGLE: _PAGES}


def set_cookie(reply: Response, host: str, value: str) -> None:
    """As the host sets it; an empty value takes it away."""
    shared = host in (ACCOUNTS, GOOGLE)
    reply.set_cookie(
        COOKIES[host],
        value,
        max_age=_COOKIE_LIFE_S if value else 0,
        path="/",
        domain="google.com" if shared else None,
        secure=True,
        httponly=True,
        samesite="lax" if host == LABS else "none",
    )


def refusal(request: Request, host: str) -> Response | None:
    """What a request is told that is none of the page's own; None for one that is."""
    origins = request.headers.getlist("origin")
    site = request.headers.get("sec-fetch-site")
    unsafe = request.method not in ("GET", "HEAD")
    if host == API:
        return None if origins and set(origins) <= set(MAY_ASK[API]) else _wrong_referrer(origins)
    if host == GOOGLE:
        may_ask = {*MAY_ASK[GOOGLE], f"https://{GOOGLE}"}
        good = not unsafe or (bool(origins) and set(origins) <= may_ask)
        return None if good else _no_business()
    if host == FLOW and unsafe:
        own = origins == [f"https://{FLOW}"] and site == "same-origin"
        return None if own and request.headers.get("x-same-domain") == "1" else _no_business()
    if host == LABS and request.url.path.startswith(("/fx/api/trpc/", "/fx/api/auth/session")):
        own = site == "same-origin" and set(origins) <= {f"https://{LABS}"}
        return None if own and (origins or not unsafe) else _no_business()
    return None


def cors(request: Request, host: str) -> dict[str, str]:
    """The headers that let a page of another host read the answer."""
    origin = request.headers.get("origin", "")
    if origin not in MAY_ASK.get(host, ()):
        return {}
    told = {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "retry-after",
        "vary": "origin",
    }
    if request.method == "OPTIONS":
        told |= {
            "access-control-allow-methods": "GET,POST,PATCH",
            "access-control-allow-headers": "authorization,content-type",
            "access-control-max-age": "3600",
        }
    return told


def nothing() -> Response:
    """There is no such page."""
    return PlainTextResponse("Not found.", HTTPStatus.NOT_FOUND)


def _wrong_referrer(origins: list[str]) -> Response:
    told = {
        "code": 403,
        "message": f"Requests from referer {', '.join(origins) or '<empty>'} are blocked.",
        "status": "PERMISSION_DENIED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_HTTP_REFERRER_BLOCKED",
                "domain": "googleapis.com",
            }
        ],
    }
    return JSONResponse({"error": told}, HTTPStatus.FORBIDDEN)


def _no_business() -> Response:
    text = "<!doctype html><title>Error 403 (Forbidden)</title><p>That’s an error. (Simulated.)"
    return HTMLResponse(text, HTTPStatus.FORBIDDEN)
