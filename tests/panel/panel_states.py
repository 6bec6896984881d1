"""States of the worker, one for each face of the panel (the contract stands in extension/ui/shape.js)."""

from __future__ import annotations

import copy
from typing import Any

State = dict[str, Any]
NOW = 1_795_500_000_000  # the clock that the tests give the page, ms
MINUTE = 60_000

#: What the worker says of Flow, by situation (lib/flow_words.js; tests/extension compares): message, next step.
WORKER_SAYS: dict[str, tuple[str, str]] = {
    "ready": ("Flow is ready.", ""),
    "none": ("No Flow tab is open.", "Open Flow and sign in."),
    "no_permission": (
        "Chrome does not let this extension see flow.google.com.",
        "Press “Allow” below, or allow it in Chrome: Extensions, FlowKit, Details, Site access.",
    ),
    "loading": ("The Flow tab is loading.", "Wait a moment."),
    "silent": (
        "The Flow tab does not answer.",
        "Click the Flow tab; if it stays so, reload it.",
    ),
    "frozen": (
        "Chrome has put the Flow tab to sleep.",
        "Click the Flow tab once: that wakes it.",
    ),
    "discarded": (
        "Chrome has unloaded the Flow tab to save memory.",
        "Click the Flow tab once: Chrome then loads it again.",
    ),
    "signed_out": ("Nobody is signed in to Flow.", "Sign in in the Flow tab."),
    "not_served": (
        "Flow is not served here for this account.",
        "Open Flow at labs.google, or sign in with another account.",
    ),
    "outdated": (
        "The Flow page is out of date: Flow no longer answers it.",
        "Reload the Flow tab.",
    ),
    "no_api_permission": (
        "Flow at labs.google needs one more permission.",
        "Press “Allow labs.google” below.",
    ),
    "person_needed": (
        "Flow wants to see that a person is there.",
        "Show the Flow tab and complete the check there.",
    ),
}

FOR_A_PERSON = {
    "person_needed",
    "no_permission",
    "no_api_permission",
    "not_served",
    "outdated",
    "silent",
}

_FLOW: State = {
    "state": {
        "lane": "batchexecute",
        "account": "m…@gmail.com (4f1c)",
        "tab": "ready",
        "signed_in": True,
        "simulated": False,
        "page_loads": 1,
    },
    "lane": "batchexecute",
    "account": "m…@gmail.com (4f1c)",
    "tier": "Ultra",
    "credits": 1240,
    "tabs": [{"id": 7, "title": "The Lighthouse Keeper · Flow", "chosen": True}],
    "message": WORKER_SAYS["ready"][0],
    "next_step": "",
    "other_account": None,
}

_LOG: list[State] = [
    {
        "at": NOW - 40_000,
        "name": "video.status",
        "what": "Ask how far 2 clips are",
        "outcome": "ok",
        "credits": 0,
        "ms": 310,
    },
    {
        "at": NOW - 65_000,
        "name": "video.start",
        "what": "Scene 2 vertical clip",
        "outcome": "ok",
        "credits": 10,
        "ms": 2340,
    },
    {
        "at": NOW - 4 * MINUTE,
        "name": "image.generate",
        "what": "Scene 3 vertical picture",
        "outcome": "CAPTCHA_TIMEOUT",
        "credits": 0,
        "ms": 40_000,
    },
    {
        "at": NOW - 5 * MINUTE,
        "name": "image.upload",
        "what": "Reference of Mara",
        "outcome": "ok",
        "credits": None,
        "ms": 1800,
    },
]

_CONNECTED: State = {
    "version": "0.1.0",
    "instance": "5f0c3c1e9a7d4b2680d1e2f3a4b5c6d7",
    "label": "Studio",
    "link": {
        "state": "connected",
        "port": 47815,
        "since": NOW - 12 * MINUTE,
        "message": "",
        "next_step": "",
        "server": {
            "version": "0.1.0",
            "library": "Films",
            "generation": 12,
            "simulated": False,
        },
    },
    "flow": _FLOW,
    "paused": False,
    "ask": False,
    "approvals": [],
    "calls": [],
    "queue": {"jobs": [], "ahead": 0},
    "last_error": None,
    "log": _LOG,
    "needs_hosts": [],
}

_CALL: State = {
    "id": "a1",
    "name": "video.start",
    "what": "Scene 3 vertical clip",
    "phase": "sent",
    "paid": True,
    "credits": 10,
    "since": NOW - 42_000,
}


def connected(**changes: Any) -> State:
    """The state of a panel at rest, with these fields laid over it (dicts go in field by field)."""
    return _over(copy.deepcopy(_CONNECTED), changes)


def _over(state: State, changes: State) -> State:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(state.get(key), dict):
            _over(state[key], value)
        else:
            state[key] = value
    return state


def flow(situation: str, tab: str = "ready", *, signed_in: bool = False, **more: Any) -> State:
    """Flow in one of the worker's situations."""
    message, next_step = WORKER_SAYS[situation]
    needed = f"{message}\n{next_step}" if situation in FOR_A_PERSON else None
    seen = {"tab": tab, "signed_in": signed_in, "person_needed": needed}
    nobody = {"account": None, "credits": None, "tier": None, "lane": None}
    if not signed_in:
        seen |= {"account": None, "lane": None}
        more = nobody | more
    hosts = more.pop("needs_hosts", [])
    said = {
        "situation": situation,
        "state": seen,
        "message": message,
        "next_step": next_step,
        **more,
    }
    return connected(flow=said, needs_hosts=hosts)


def linked(state: str, **more: Any) -> State:
    return connected(link={"state": state, "server": None, **more}, log=[])


APPROVAL: State = {
    "id": "op-31",
    "name": "video.start",
    "what": "Scene 3 vertical clip",
    "credits": 10,
    "since": NOW - 8_000,
}

_NEXT: list[State] = [
    {"id": 42, "what": "scene 3 vertical clip", "state": "running", "credits": 10},
    {"id": 43, "what": "scene 4 vertical clip", "state": "queued", "credits": 10},
    {"id": 44, "what": "scene 5 vertical clip", "state": "queued", "credits": 10},
]
#: The two halves of docs/panel.png: at work, and asking.
README: tuple[State, State] = (
    connected(calls=[_CALL], queue={"jobs": _NEXT}),
    connected(
        ask=True,
        approvals=[APPROVAL],
        calls=[{**_CALL, "phase": "asking", "since": NOW - 8000}],
        queue={"jobs": _NEXT},
    ),
)

LEGACY_HOSTS = ["https://labs.google/*", "https://aisandbox-pa.googleapis.com/*"]
FLOW_HOSTS = ["https://flow.google.com/*"]
_NOW, _BEFORE = "m…@studio.example (91c2)", "m…@gmail.com (4f1c)"
#: As lib/flow_words.js and lib/flow.js say it.
OTHER_ACCOUNT: State = {
    "account": _NOW,
    "credits": None,
    "tier": None,
    "message": f"Flow is signed in as {_NOW}. The last paid work was done as {_BEFORE}.",
    "next_step": "If this one is to pay from now on, press “Use this account”. If not, switch the account in the "
    "Flow tab.",
    "other_account": {"now": _NOW, "before": _BEFORE},
}

#: Each face of the panel, by the name of its picture.
FACES: dict[str, State] = {
    "newcomer": connected(
        link={"state": "unpaired", "server": None, "port": None, "since": None},
        flow=flow("none", "none", tabs=[])["flow"],
        log=[],
    ),
    "unpaired": linked("unpaired", port=None, since=None),
    "connecting": linked("connecting", since=NOW - 3000),
    "server-down": linked("server_down", since=NOW - 3 * MINUTE),
    "refused": linked("refused", since=NOW - MINUTE),
    "standby": linked("standby", since=NOW - MINUTE),
    "connected": connected(),
    "simulated": connected(
        link={"server": {"simulated": True}}, flow={"state": {"simulated": True}}
    ),
    "working": connected(
        calls=[
            _CALL,
            {
                "id": "a2",
                "name": "image.generate",
                "what": "Scene 4 vertical picture",
                "phase": "minting",
                "paid": True,
                "credits": 0,
                "since": NOW - 3000,
            },
        ],
        queue={
            "jobs": [
                {"id": 41, "what": "Scene 2 vertical clip", "state": "waiting", "credits": 10},
                {"id": 43, "what": "Scene 5 vertical clip", "state": "queued", "credits": 10},
                {"id": 44, "what": "Scene 1 clip, 4K", "state": "queued", "credits": 50},
            ],
            "ahead": 3,
        },
    ),
    "asking": connected(
        ask=True,
        approvals=[APPROVAL, {**APPROVAL, "id": "op-32", "what": "Scene 4 vertical clip"}],
        calls=[{**_CALL, "phase": "asking", "since": NOW - 8000}],
    ),
    "paused": connected(
        paused=True,
        queue={
            "jobs": [{"id": 43, "what": "Scene 5 vertical clip", "state": "queued", "credits": 10}],
            "ahead": 0,
        },
    ),
    "signed-out": flow("signed_out", lane="batchexecute"),
    "no-tab": flow("none", "none", tabs=[]),
    "loading": flow("loading", "loading"),
    "silent": flow("silent", "frozen"),
    "frozen": flow("frozen", "frozen"),
    "discarded": flow("discarded", "discarded"),
    "not-served": flow("not_served", needs_hosts=LEGACY_HOSTS),
    "outdated": flow("outdated", lane="batchexecute"),
    "no-permission": flow("no_permission", "none", tabs=[], needs_hosts=FLOW_HOSTS),
    "needs-person": flow("person_needed", signed_in=True),
    "other-account": connected(flow=OTHER_ACCOUNT),
    "other-account-asking": connected(
        flow=OTHER_ACCOUNT,
        approvals=[{**APPROVAL, "account": OTHER_ACCOUNT["other_account"]}],
        calls=[{**_CALL, "phase": "asking", "since": NOW - 8000}],
    ),
    "held-back": connected(
        queue={
            "jobs": [
                {"id": 43, "what": "scene 5 vertical clip", "state": "queued", "credits": 10},
                {
                    "id": 44,
                    "what": "scene 6 vertical clip",
                    "state": "needs_attention",
                    "credits": 10,
                },
            ],
            "paused_reason": "Flow asked for a slower pace until 14:30.",
        },
    ),
    "needs-permission": flow("no_api_permission", lane="labs", needs_hosts=LEGACY_HOSTS[1:]),
    "error": connected(
        last_error={
            "code": "CAPTCHA_TIMEOUT",
            "message": "Flow's page made no captcha token within 40 s. Nothing was sent.",
            "next_step": "Show the Flow tab and reload it; the work goes on by itself.",
            "at": NOW - 2 * MINUTE,
        }
    ),
}
