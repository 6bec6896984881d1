"""What a person says about an upload: pause it, go on, it is there, send it again.

Said in any process, done by the one that works the job: an answer is an event, heeded when the job runs next.
"""

from __future__ import annotations

import re
from typing import Any

from flowkit_mcp.domain.models import Job, JobEvent, JobKind, JobState
from flowkit_mcp.errors import Conflict, RequestError
from flowkit_mcp.store import jobs, publications
from flowkit_mcp.store.copies import PUT_BACK_EVENT
from flowkit_mcp.store.database import Reads, Tx

PAUSING = "PAUSING"
PAUSED: dict[str, Any] = {
    "reason": "PAUSED",
    "message": "paused on request; YouTube keeps what was sent for about a week. To go on: resolve_job with action "
    "'retry'",
}
LAST_SENT = (
    "cancelled on request while the last of the film was under way: it may be on the channel. Look at "
    "studio.youtube.com, or call upload again: it finds the film and sends nothing twice"
)
THERE, SEND_AGAIN = "attached", "submit_again"
FITTING = "What fits: retry, attach (with media_id, the video's id), submit_again or give_up."

_VIDEO = re.compile(
    r"(?:.*(?:v=|youtu\.be/|/shorts/|/watch/))?([A-Za-z0-9_-]{6,20})(?:[?&#/].*)?\Z"
)


async def pause(tx: Tx, id: int, now: int) -> None:
    """Raises NotFound, Conflict."""
    job = await jobs.job(tx, id)
    if job.kind is not JobKind.PUBLISH or job.state.final:
        what = f"is {job.state}" if job.state.final else "is no upload"
        raise Conflict(f"job {id} {what}", hint="Only an upload that has not ended can pause.")
    if job.state is JobState.RUNNING:
        await publications.ask_to_pause(tx, id)
    elif job.state is not JobState.NEEDS_ATTENTION:
        await jobs.transition(tx, id, JobState.NEEDS_ATTENTION, now=now, event="paused", **PAUSED)


async def answer(tx: Tx, job: Job, action: str, media_id: str | None, now: int) -> None:
    """For an upload that needs attention. Raises RequestError."""
    if action == "give_up":
        await jobs.give_up(tx, job.id, now)
        return
    data: dict[str, str] | None = None
    if action == "attach":
        data = {"video": video_id(media_id)}
    elif action not in ("retry", "submit_again"):
        raise RequestError(f"action {action!r} does not fit an upload", hint=FITTING)
    event = {"retry": "retried", "attach": THERE, "submit_again": SEND_AGAIN}[action]
    await jobs.transition(
        tx, job.id, JobState.QUEUED, now=now, event=event, data=data, run_at=now, attempts=0
    )


def video_id(text: str | None) -> str:
    """Of an id or a video's address. Raises RequestError."""
    found = _VIDEO.fullmatch((text or "").strip())
    if found is None:
        raise RequestError(f"{text!r} is no id of a video", hint="Pass media_id=<the video's id>.")
    return found[1]


async def answers(reads: Reads, job_id: int) -> JobEvent | None:
    """The person's last word on the transfer, if it has not been tried since it was said.

    Heeding it twice does no harm: until the next question nothing else can have begun.
    """
    said: JobEvent | None = None
    for event in await jobs.events(reads, job_id):
        if event.type in (THERE, SEND_AGAIN):
            said = event
        elif event.type in ("quota", "needs_attention", "paused", PUT_BACK_EVENT):
            said = None  # heeded, and something came of it; or perhaps, and that is forgotten
    return said
