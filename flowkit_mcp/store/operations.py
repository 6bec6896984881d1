"""The ledger of calls that may cost, the gate and the pacing, and who leads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from flowkit_mcp.domain.models import (
    Account,
    Gate,
    Job,
    Leader,
    Operation,
    OperationState,
    ProviderState,
    Stage,
)
from flowkit_mcp.store.database import Reads, Tx, row, rows, the_row
from flowkit_mcp.store.jobs import log

# ---- operations ------------------------------------------------------------------------------


async def operation(reads: Reads, id: int) -> Operation:
    return await the_row(
        reads, Operation, f"operation {id}", "SELECT * FROM operation WHERE id = :id", id=id
    )


async def live_operation(reads: Reads, job_id: int) -> Operation | None:
    """The one call of a job whose end is not known yet; the database allows no second."""
    return await row(
        reads,
        Operation,
        "SELECT * FROM operation WHERE job_id = :j AND state IN ('intended','submitted','unknown')",
        j=job_id,
    )


async def operations(reads: Reads, job_id: int) -> list[Operation]:
    return await rows(
        reads, Operation, "SELECT * FROM operation WHERE job_id = :j ORDER BY id", j=job_id
    )


async def live_ids(reads: Reads) -> list[int]:
    """All calls whose end is not known yet."""
    found = await reads.all(
        "SELECT id FROM operation WHERE state IN ('intended','submitted','unknown')"
    )
    return [item["id"] for item in found]


async def newest_id(reads: Reads) -> int:
    """0: no call was ever made."""
    return (await reads.all("SELECT coalesce(max(id), 0) AS id FROM operation"))[0]["id"]


async def in_flight(reads: Reads, provider: str) -> int:
    """How many calls are at the provider now; those that wait for a person are not at work there."""
    found = await reads.all(
        """SELECT count(*) AS n FROM operation o JOIN job j ON j.id = o.job_id
            WHERE o.provider = :p AND o.state IN ('intended','submitted') AND j.state <> 'needs_attention'""",
        p=provider,
    )
    return int(found[0]["n"])


async def lost_at(reads: Reads, op: Operation) -> int:
    """Since when a call's reply has been missing, in milliseconds: at the latest then it had been sent."""
    found = await reads.all(
        """SELECT min(at) AS at FROM job_event WHERE job_id = :j AND at >= :since
              AND type IN ('reply_missing','orphaned','interrupted')""",
        j=op.job_id,
        since=op.intended_at,
    )
    return found[0]["at"] or op.intended_at


async def intend(
    tx: Tx,
    job: Job,
    *,
    account: str,
    client_ref: str,
    via: str | None,
    brief: dict[str, Any],
    estimate: int,
    before: int | None,
    now: int,
    next_submit_at: int,
) -> Operation:
    """Write down that a call is about to be made, before it is made; also sets the pacing.

    `brief` is what is about to be sent, for whoever has to look it up later.
    """
    id = await tx.insert(
        "operation",
        job_id=job.id,
        provider=job.provider,
        account=account,
        state=OperationState.INTENDED,
        client_ref=client_ref,
        via=via,
        brief=json.dumps(brief, ensure_ascii=False),
        credits_estimate=estimate,
        credits_before=before,
        intended_at=now,
    )
    await tx.run(
        "UPDATE provider_state SET next_submit_at = :at WHERE provider = :p",
        at=next_submit_at,
        p=job.provider,
    )
    await log(tx, job.id, "intended", now, operation=id, credits=estimate)
    return await operation(tx, id)


async def submitted(
    tx: Tx,
    op: Operation,
    *,
    remote_id: str,
    credits_after: int | None,
    now: int,
    reply: dict[str, Any] | None = None,
) -> None:
    """The provider accepted: from here on only reading remains."""
    await tx.update(
        "operation",
        op.id,
        state=OperationState.SUBMITTED,
        remote_id=remote_id,
        submitted_at=now,
        credits_after=credits_after,
        reply=None if reply is None else json.dumps(reply),
    )
    await log(tx, op.job_id, "submitted", now, operation=op.id, remote_id=remote_id)


async def look_again(tx: Tx, op: Operation, now: int) -> None:
    """The person wants to know once more what became of a call: it can only be looked up, not sent."""
    await tx.update("operation", op.id, state=OperationState.INTENDED)
    await log(tx, op.job_id, "looking_again", now, operation=op.id)


async def detach(tx: Tx, op: Operation) -> None:
    """Of a call in doubt: the media id that a person gave for it is nothing."""
    await tx.update("operation", op.id, remote_id=None, submitted_at=None)


async def give_back_id(tx: Tx, op: Operation, accepted_as: str) -> None:
    """Of an accepted call: the media id that a person gave is nothing, so it has its own again."""
    notes = {k: v for k, v in (op.reply or {}).items() if k not in ("resolved", "accepted_as")}
    await tx.update("operation", op.id, remote_id=accepted_as, reply=json.dumps(notes))


async def settle(
    tx: Tx,
    op: Operation,
    state: OperationState,
    *,
    now: int,
    reply: dict[str, Any] | None = None,
    credits_after: int | None = None,
) -> None:
    """The call's end is known (or, for `unknown`, has to be asked of a person)."""
    values: dict[str, Any] = {"state": state}
    if state is not OperationState.UNKNOWN:
        values["settled_at"] = now
    if reply is not None:
        values["reply"] = json.dumps(reply, ensure_ascii=False)
    if credits_after is not None:
        values["credits_after"] = credits_after
    await tx.update("operation", op.id, **values)
    await log(tx, op.job_id, f"operation_{state}", now, operation=op.id, **(reply or {}))


async def proven(reads: Reads, provider: str, account: str) -> tuple[tuple[str, str, bool], ...]:
    """(client_ref, remote_id, was it a clip) of the newest accepted calls: the canary for ids derived from our refs.

    Larger versions are left out: Flow names them otherwise.
    """
    found = await reads.all(
        """SELECT client_ref, remote_id, job_id IN (SELECT id FROM job WHERE stage = 'video') AS clip FROM operation
            WHERE provider = :p AND account = :a AND remote_id IS NOT NULL
              AND job_id NOT IN (SELECT id FROM job WHERE kind IN ('UPSCALE_IMAGE','UPSCALE_VIDEO'))
              AND coalesce(json_extract(reply, '$.resolved'), '') <> 'attach' ORDER BY id DESC LIMIT 20""",
        p=provider,
        a=account,
    )
    return tuple((item["client_ref"], item["remote_id"], bool(item["clip"])) for item in found)


async def labels(reads: Reads, provider: str, via: str | None, beginning: str) -> list[str]:
    """The labels that begin so of accounts through which a browser profile made calls."""
    found = await reads.all(
        """SELECT DISTINCT account FROM operation
            WHERE provider = :p AND via = :v AND substr(account, 1, length(:n)) = :n""",
        p=provider,
        v=via,
        n=beginning,
    )
    return [item["account"] for item in found]


async def last_done(reads: Reads, provider: str, account: str) -> tuple[str, Stage] | None:
    """The newest result of an account that the provider knows by an id: that id, and what it is."""
    found = await reads.all(
        """SELECT r.remote_id, t.stage FROM operation o JOIN take t ON t.job_id = o.job_id
             JOIN asset_remote r ON r.asset_id = t.asset_id AND r.provider = o.provider AND r.account = o.account
            WHERE o.provider = :p AND o.account = :a AND o.state = 'done' AND r.gone_at IS NULL
            ORDER BY o.id DESC LIMIT 1""",
        p=provider,
        a=account,
    )
    return (found[0]["remote_id"], Stage(found[0]["stage"])) if found else None


async def rename_account(tx: Tx, provider: str, old: str, new: str) -> None:
    """What was noted under one label belongs to another; where both know something, the other's stays."""
    for table in ("operation", "asset_remote", "project_remote"):
        await tx.run(
            f"UPDATE OR IGNORE {table} SET account = :new WHERE provider = :p AND account = :old",
            new=new,
            old=old,
            p=provider,
        )
    for table in ("asset_remote", "project_remote"):
        await tx.run(
            f"DELETE FROM {table} WHERE provider = :p AND account = :old", p=provider, old=old
        )


# ---- gate, pacing, account -------------------------------------------------------------------


async def provider_state(reads: Reads, provider: str) -> ProviderState | None:
    return await row(
        reads, ProviderState, "SELECT * FROM provider_state WHERE provider = :p", p=provider
    )


async def provider_states(reads: Reads) -> Sequence[ProviderState]:
    return await rows(reads, ProviderState, "SELECT * FROM provider_state ORDER BY provider")


async def ensure_provider(tx: Tx, provider: str, now: int) -> ProviderState:
    await tx.run(
        "INSERT INTO provider_state (provider, updated_at) VALUES (:p, :now) ON CONFLICT DO NOTHING",
        p=provider,
        now=now,
    )
    return await the_row(
        tx, ProviderState, provider, "SELECT * FROM provider_state WHERE provider = :p", p=provider
    )


async def set_gate(
    tx: Tx,
    provider: str,
    gate: Gate,
    *,
    now: int,
    reason: str | None = None,
    message: str | None = None,
    resume_at: int | None = None,
    probing: bool = False,
    failures: int = 0,
) -> None:
    await tx.run(
        """UPDATE provider_state SET gate = :gate, reason = :reason, message = :message, resume_at = :resume_at,
                  probing = :probing, failures = :failures, updated_at = :now WHERE provider = :p""",
        gate=gate,
        reason=reason,
        message=message,
        resume_at=resume_at,
        probing=probing,
        failures=failures,
        now=now,
        p=provider,
    )


async def set_connection(
    tx: Tx, provider: str, *, connected: bool, lane: str | None, now: int
) -> None:
    await tx.run(
        "UPDATE provider_state SET connected = :c, lane = :l, updated_at = :now WHERE provider = :p",
        c=connected,
        l=lane,
        now=now,
        p=provider,
    )


async def set_account(tx: Tx, provider: str, account: Account, now: int) -> None:
    await tx.run(
        "UPDATE provider_state SET account = :a, account_at = :now, updated_at = :now WHERE provider = :p",
        a=account.model_dump_json(),
        now=now,
        p=provider,
    )


async def set_check(tx: Tx, provider: str, what: str, found: BaseModel | None, now: int) -> None:
    """What the leader found out: `what` is a field of `Checks`."""
    await tx.run(
        """UPDATE provider_state SET updated_at = :now,
                  checks = json_set(coalesce(checks, '{}'), '$.' || :what, json(:found)) WHERE provider = :p""",
        what=what,
        found="null" if found is None else found.model_dump_json(),
        now=now,
        p=provider,
    )


async def want_check(tx: Tx, provider: str, now: int) -> None:
    """Ask the leader to look now."""
    await tx.run(
        """UPDATE provider_state SET checks = json_set(coalesce(checks, '{}'), '$.wanted_at', :now)
            WHERE provider = :p""",
        now=now,
        p=provider,
    )


async def pull_along(tx: Tx, now: int, along: Callable[[int], int]) -> None:
    """The clock was set: `along` says when a pause or a turn is over that ends after `now`."""
    for state in await provider_states(tx):
        resume_at = state.resume_at
        await tx.run(
            "UPDATE provider_state SET next_submit_at = :next, resume_at = :resume WHERE provider = :p",
            next=along(state.next_submit_at)
            if state.next_submit_at > now
            else state.next_submit_at,
            resume=along(resume_at) if resume_at is not None and resume_at > now else resume_at,
            p=state.provider,
        )


# ---- leader ----------------------------------------------------------------------------------


async def leader(reads: Reads) -> Leader | None:
    return await row(
        reads,
        Leader,
        """SELECT generation, pid, version, started_at, heartbeat_at, resign_requested
             FROM leader WHERE one = 1""",
    )


async def begin_leadership(tx: Tx, *, pid: int, version: str, now: int) -> int:
    """A new generation; returns its number."""
    found = await tx.all(
        """INSERT INTO leader (one, generation, pid, version, started_at, heartbeat_at)
           VALUES (1, 1, :pid, :version, :now, :now)
           ON CONFLICT (one) DO UPDATE SET generation = generation + 1, pid = excluded.pid,
             version = excluded.version, started_at = excluded.started_at,
             heartbeat_at = excluded.heartbeat_at, resign_requested = 0
        RETURNING generation""",
        pid=pid,
        version=version,
        now=now,
    )
    return int(found[0]["generation"])


async def heartbeat(tx: Tx, generation: int, now: int) -> bool:
    """False: somebody else leads."""
    return bool(
        await tx.run(
            "UPDATE leader SET heartbeat_at = :now WHERE one = 1 AND generation = :g",
            now=now,
            g=generation,
        )
    )


async def request_resign(tx: Tx) -> None:
    """A newer program asks the leader to finish its submit and let go."""
    await tx.run("UPDATE leader SET resign_requested = 1 WHERE one = 1")
