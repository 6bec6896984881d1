"""Wrong values are accepted silently (flow-wire §2.1): what Flow says it understood, against what was asked. Pure."""

from __future__ import annotations

from flowkit_mcp.providers.base import Brief, ImageBrief, VideoBrief
from flowkit_mcp.providers.flow.records import MediaRecord

_MODES = {"text": 1, "start": 2, "start_end": 2, "references": 3}
_SAID = {1: "from the text alone", 2: "from a start image", 3: "from references"}


def warnings(brief: Brief, record: MediaRecord) -> tuple[str, ...]:
    """A sentence for each difference; what the answer does not mention is no difference."""
    found: list[str] = []
    echo = record.echo
    edit = isinstance(brief, ImageBrief) and brief.base is not None
    if echo.orientation is not None and echo.orientation is not brief.orientation and not edit:
        found.append(f"Flow makes this {echo.orientation}, {brief.orientation} was asked for")
    if isinstance(brief, VideoBrief):
        wanted = _MODES.get(brief.mode)
        if wanted and echo.mode in _SAID and echo.mode != wanted:
            found.append(f"Flow makes this clip {_SAID[echo.mode]} instead of {_SAID[wanted]}")
    sent = len(brief.references) if isinstance(brief, ImageBrief | VideoBrief) else 0
    if sent and not edit and echo.inputs is not None and echo.inputs < sent:
        found.append(f"Flow took {echo.inputs} of {sent} references")
    return tuple(found)
