"""What `doctor` finds in a library that can be opened: its files, its copies, outcomes that nobody knows, its log."""

from __future__ import annotations

import datetime
from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.cli.doctor_check import Check
from flowkit_mcp.server.logs import folder_of
from flowkit_mcp.store import money, takes

_SHOWN = 5


async def examine_contents(kit: FlowKit) -> list[Check]:
    """The checks, in the order in which they are told."""
    return [await _media(kit), _copies(kit), await _outcomes(kit), _log(kit)]


async def _media(kit: FlowKit) -> Check:
    found = await takes.in_use(kit.db)
    gone = [asset.path for asset in found if not kit.media.absolute(asset.path).is_file()]
    if not gone:
        return Check(name="media", verdict="ok", found=f"{len(found)} files in use, all there")
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    return Check(
        name="media",
        verdict="warning",
        found=f"{len(gone)} of {len(found)} files in use are gone: {', '.join(gone[:_SHOWN])}{more}",
        next="Start FlowKit with the browser connected: it fetches again, free, what Flow still has. "
        "What stays away can be generated again.",
    )


def _copies(kit: FlowKit) -> Check:
    copies = sorted(
        kit.settings.state_dir.glob("backup-*.db"), key=lambda file: file.stat().st_mtime
    )
    if not copies:
        return Check(
            name="copies", verdict="ok", found="none yet; one a day is made while it is worked in"
        )
    found = f"{len(copies)} of the database, the newest {copies[-1].name} of {_day(copies[-1])}"
    return Check(name="copies", verdict="ok", found=found)


async def _outcomes(kit: FlowKit) -> Check:
    unknown = await money.unknown_outcomes(kit.db, _SHOWN)
    if not unknown:
        return Check(
            name="outcomes",
            verdict="ok",
            found="of every call that may cost, it is known what became of it",
        )
    told = [
        f"job {call.job_id}, {call.credits} credits, sent {_utc(call.intended_at)}: {call.evidence or 'no evidence'}"
        for call in unknown
    ]
    return Check(
        name="outcomes",
        verdict="warning",
        found="unknown whether these were charged: " + "; ".join(told),
        next="Ask your agent to call list_jobs with show='attention', then resolve_job with 'look_again' (free).",
    )


def _log(kit: FlowKit) -> Check:
    folder = folder_of(kit.settings)
    files = len(list(folder.glob("*.log"))) if folder.is_dir() else 0
    return Check(name="log", verdict="ok", found=f"{files} file(s) in {folder}")


def _day(file: Path) -> str:
    return datetime.datetime.fromtimestamp(file.stat().st_mtime).date().isoformat()


def _utc(ms: int) -> str:
    return f"{datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC):%Y-%m-%d %H:%M} UTC"
