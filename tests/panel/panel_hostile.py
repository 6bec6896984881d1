"""What a hostile page, server or title could put into the worker's state."""

from __future__ import annotations

from typing import Any

from panel_states import NOW, connected

MARKUP = "<img src=x onerror=\"window.hit='markup'\"><script>window.hit='script'</script>"
LONG = "W" * 5000
#: Right-to-left override, a zero-width joiner, a line separator, an escape.
BENT = "Allow \u202e001\u202c 1 credit\u2066\u200b\u2028\u001b[31m"

HOSTILE: dict[str, Any] = connected(
    version=MARKUP,
    instance=LONG,
    label=MARKUP + LONG,
    link={
        "message": MARKUP + LONG,
        "next_step": BENT,
        "server": {"library": LONG, "version": MARKUP},
    },
    flow={
        "account": LONG,
        "tier": MARKUP,
        "tabs": [{"id": 1, "title": MARKUP + BENT + LONG, "chosen": True}],
    },
    approvals=[
        {"id": "<b>", "name": "x", "what": MARKUP + BENT, "credits": 10, "since": NOW},
        {"id": "x" * 201, "name": "x", "what": "an id that nobody could answer to", "credits": 1},
        {"id": {"toString": 1}, "what": "no id at all"},
        None,
    ],
    calls=[
        {
            "id": "c",
            "name": MARKUP,
            "what": LONG,
            "phase": "__proto__",
            "paid": "yes",
            "credits": -5,
        },
        {
            "id": 7,
            "name": "video.start",
            "what": 12,
            "phase": "sent",
            "since": 1e300,
            "credits": 1e308,
        },
    ],
    queue={
        "jobs": [{"id": MARKUP, "what": LONG, "state": MARKUP, "credits": "12"}],
        "ahead": "9e9",
    },
    last_error={"code": MARKUP, "message": MARKUP + LONG, "next_step": LONG, "at": "never"},
    log=[{"at": "2026-13-77", "name": MARKUP, "what": "", "outcome": MARKUP + LONG, "ms": None}]
    * 3000,
    needs_hosts=["javascript:alert(1)", "https://labs.google/*", MARKUP, LONG, "https://" + LONG],
)
