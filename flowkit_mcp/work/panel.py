"""What the extension's side panel shows of the queue: words and prices, no prompts."""

from __future__ import annotations

from flowkit_mcp.bridge.protocol import QUEUE_SHOWN, WHAT_LENGTH, Queue, QueuedJob
from flowkit_mcp.domain.models import Job, JobState, ProviderState, Stage
from flowkit_mcp.errors import NotFound
from flowkit_mcp.store import catalog, jobs
from flowkit_mcp.store.database import Reads

_LONGEST_REASON = 300
_NOUNS = {
    Stage.IMAGE: "image",
    Stage.VIDEO: "clip",
    Stage.UPSCALE: "upscaled clip",
    Stage.IMAGE_UPSCALE: "upscaled image",
}


async def queue_shown(reads: Reads, state: ProviderState | None, now: int) -> Queue:
    """The open jobs in the order of their turn, and why nothing new is sent, if so."""
    counts = await jobs.count_by_state(reads)
    open_jobs = sum(count for state, count in counts.items() if not state.final)
    shown = [
        QueuedJob.model_validate(
            {
                "id": job.id,
                "what": await words_for_panel(reads, job),
                "state": job.state.value,
                "credits": job.credits_estimate,
            }
        )
        for job in await jobs.next_in_line(reads, QUEUE_SHOWN)
    ]
    closed = state is not None and state.closed(now)
    why = (state.message or state.reason) if state is not None and closed else None
    holds = await jobs.quota_holds(reads, now)
    if why is None and holds and sum(one.jobs for one in holds) == counts.get(JobState.QUEUED):
        why = f"the daily quota of {', '.join(one.model for one in holds)} is used up"
    return Queue(
        jobs=shown,
        ahead=max(0, open_jobs - len(shown)),
        paused_reason=None if why is None else cut(why, _LONGEST_REASON),
    )


async def words_for_panel(reads: Reads, job: Job) -> str:
    """What a job makes, short enough for the bridge."""
    return cut(await in_words(reads, job), WHAT_LENGTH)


async def in_words(reads: Reads, job: Job) -> str:
    """`scene 3 vertical clip`, `reference image of Mai`, `vertical film`, `Flow: list projects`."""
    if job.character_id is not None:
        try:
            return f"reference image of {(await catalog.character(reads, job.character_id)).name}"
        except NotFound:
            return "reference image"
    shape = "" if job.orientation is None else job.orientation.value.lower()
    if job.scene_id is not None and job.stage is not None:
        what = f"{shape} {_NOUNS[job.stage]}"
        try:
            return f"scene {(await catalog.scene(reads, job.scene_id)).number} {what}"
        except NotFound:
            return what
    action = str(job.request.get("action") or "")
    return f"Flow: {action.replace('_', ' ')}" if action else f"{shape} film"


def cut(text: str, length: int) -> str:
    """At most `length` characters, with a sign that there was more."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
