"""The paid path until the provider has accepted: prepare, intend, submit, park. Only here is `submit` ever called.

What follows is free (`record.py`). Each step that matters after a crash is announced to `on_step`; `docs/states.md`
says what the next leader does.
"""

from __future__ import annotations

import asyncio
from typing import Any

from flowkit_mcp.domain.models import Account, Gate, Job, JobState, MediaKind, Operation
from flowkit_mcp.domain.money import Budget
from flowkit_mcp.domain.policy import Verb, poll_delay
from flowkit_mcp.domain.requests import paid_request_of
from flowkit_mcp.errors import FlowKitError, LibraryTrouble, OutcomeUnknown, OverBudget
from flowkit_mcp.providers.base import Brief, Provider, Submission
from flowkit_mcp.store import jobs, money, operations
from flowkit_mcp.store.database import Tx
from flowkit_mcp.work.brief import BriefWriter
from flowkit_mcp.work.panel import words_for_panel
from flowkit_mcp.work.record import media_of_job
from flowkit_mcp.work.workshop import Workshop, log

#: How soon a job looks again that waits for what another is told about the quota of both.
BEHIND_PROBE_MS = 1000


class PaidPath:
    """Carries paid jobs from claim to the committed remote id."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._pace = asyncio.Lock()
        self._briefs = BriefWriter(workshop)
        #: Set at shutdown: no intent is written any more.
        self.closing = False

    async def submit(self, job: Job, *, probe: bool = False) -> None:
        """A claimed job with nothing sent yet: make the one call that may cost. `probe`: through a pause."""
        shop = self._shop
        shop.on_step("claimed")
        provider = shop.providers[job.provider]
        via = provider.via
        try:
            request = paid_request_of(job)
            account = await shop.account(provider)
            if not await self._price_holds(job, request.model, account):
                return
            brief = await self._briefs.write(provider, account, request)
            brief = brief.model_copy(update={"what": await words_for_panel(shop.db, job)})
        except Exception as error:  # nothing was sent: any error is answered, none is lost
            again = await self._briefs.strike_out(provider, job, error)
            await shop.fail(job, again or error, Verb.LOCAL)
            return
        op = await self._intend(job, provider, account, brief, via, probe=probe)
        if op is None:
            return
        shop.on_step("intent_committed")
        try:
            submission = await provider.submit(brief, op.client_ref, op.via)
        except Exception as error:  # whatever it is, policy must see it: money may be at stake
            again = await self._briefs.strike_out(provider, job, error, op, brief)
            await shop.fail(job, again or error, Verb.SUBMIT, counts=again is None)
            if await operations.live_operation(shop.db, job.id) is None:
                await self.forget(provider, op)
            return
        shop.on_step("reply_not_saved")
        try:
            await self.accepted(job, op, submission)
        except (OSError, LibraryTrouble) as error:
            # the browser still has the reply, and so have we while we live
            why = error.message if isinstance(error, LibraryTrouble) else error.strerror or error
            lost = OutcomeUnknown(f"the reply could not be written down: {why}")
            await shop.fail(job, lost, Verb.SUBMIT, counts=False)
            return
        shop.on_step("operation_saved")
        await self.forget(provider, op)

    @staticmethod
    async def forget(provider: Provider, op: Operation) -> None:
        """The end of the call is saved here: the browser may drop its copy of the reply."""
        try:
            await provider.forget(op.client_ref)
        except FlowKitError as error:
            log.info("the browser could not be told that call %d is saved: %s", op.id, error.code)

    async def _price_holds(self, job: Job, key: str, account: Account) -> bool:
        """Ask again if the live price is above what was agreed to. True: go on."""
        shop = self._shop
        model = shop.model(account, key)
        price = None if model is None else model.credits
        if price is not None and price <= job.credits_estimate:
            return True
        if price is None:
            reason, message = (
                "MODEL_UNAVAILABLE",
                (
                    f"this account cannot use {key!r} now; nothing was sent or charged. "
                    "Cancel the job and choose another model."
                ),
            )
        else:
            reason, message = (
                "PRICE_CHANGED",
                (
                    f"{key!r} now costs {price} credits, {job.credits_estimate} were agreed; nothing was sent "
                    "or charged. Cancel the job and generate again to approve the new price."
                ),
            )
        async with shop.db.transaction() as tx:
            await shop.ask(tx, job, reason, message, {"price": price})
        return False

    async def _intend(
        self,
        job: Job,
        provider: Provider,
        account: Account,
        brief: Brief,
        via: str | None,
        *,
        probe: bool,
    ) -> Operation | None:
        """Wait for our turn, then write down that the call is about to be made.

        None: meanwhile there is a reason not to make it, and the job is back in the queue.
        """
        shop = self._shop
        low, high = provider.capabilities.submit_spacing_s
        async with self._pace:
            state = await operations.provider_state(shop.db, provider.name)
            wait_ms = (state.next_submit_at if state else 0) - shop.clock.now()
            if wait_ms > 0:  # never longer than the spacing: the clock may have been ahead
                await asyncio.sleep(min(wait_ms / 1000, high))
            spacing = 1000 * (low + (high - low) * shop.roll())
            now = shop.clock.now()
            async with shop.db.transaction() as tx:
                if await self._held_back(tx, job, provider, account, via, probe=probe):
                    await shop.move(tx, job, JobState.QUEUED, "held_back", run_at=now)
                    return None
                first = await jobs.held_by_quota(tx, provider.name, brief.model, now)
                if first is not None:
                    await self._wait_behind(tx, job, first, now)
                    return None
                budget = await money.over(tx, job, brief.credits, now)
                if budget is not None:
                    await self._ask_for_more(tx, job, budget, brief.credits)
                    return None
                return await operations.intend(
                    tx,
                    job,
                    account=account.label,
                    client_ref=provider.new_client_ref(),
                    via=via,
                    brief=brief.model_dump(mode="json"),
                    estimate=brief.credits,
                    before=account.credits,
                    now=now,
                    next_submit_at=int(now + spacing),
                )

    async def _wait_behind(self, tx: Tx, job: Job, first: Job, now: int) -> None:
        """`first` has been told of the quota of both, or is just asking: then that is looked for again and again, and
        the history has one line for it.
        """
        held: dict[str, Any] = {"run_at": now + BEHIND_PROBE_MS}
        data = {"behind": first.id}
        if first.state is JobState.QUEUED:  # it was told for all of this model
            held = first.model_dump(include={"run_at", "reason", "message"})
            data["until"] = first.run_at
        last = await jobs.last_event(tx, job.id)
        known = last is not None and (last.type, last.data) == ("held_back", data)
        event = None if known else "held_back"
        await self._shop.move(tx, job, JobState.QUEUED, event, data=data, **held)

    async def _ask_for_more(self, tx: Tx, job: Job, budget: Budget, credits: int) -> None:
        day = " or call resolve_job with action 'retry' tomorrow" if budget.scope == "day" else ""
        await self._shop.ask(
            tx,
            job,
            OverBudget.code,
            f"{budget.says_no(credits)}. Nothing was sent. If the person wants it, raise the budget with "
            f"set_budget and it goes on by itself{day}; or cancel_job",
            budget.model_dump(),
        )

    async def _held_back(
        self,
        tx: Tx,
        job: Job,
        provider: Provider,
        account: Account,
        via: str | None,
        *,
        probe: bool,
    ) -> bool:
        """Whether something happened while the job waited its turn: the last look before money is at stake."""
        state = await operations.provider_state(tx, provider.name)
        through = state is not None and (
            state.gate is Gate.OPEN or (probe and state.gate is Gate.PAUSED and state.probing)
        )
        return (
            not through
            or self.closing
            or not provider.connected
            or provider.via != via  # ids were looked up for the other profile's account
            or provider.account_label != account.label  # or somebody else signed in there
            or (await jobs.job(tx, job.id)).cancel_requested
        )

    async def accepted(self, job: Job, op: Operation, submission: Submission) -> None:
        """The provider took it: one transaction parks the job, from here on only reading remains.

        Media that the reply carries are on disk before that. Raises OSError if they cannot be.
        """
        shop = self._shop
        inline = submission.inline is not None
        if inline:
            await shop.replies.keep(op, submission)
            shop.on_step("reply_kept")
        reply: dict[str, Any] = {"inline": True} if inline else {}
        left, before = submission.credits_after, op.credits_before
        # a balance that has risen tells nothing: something else was given back meanwhile
        if submission.existed and left is not None and left == before:
            reply["charged"] = "no"
        now = shop.clock.now()
        at_once = inline or media_of_job(job) is MediaKind.IMAGE
        pace = shop.providers[job.provider].capabilities
        delay = 0 if at_once else poll_delay(0, pace.first_poll_s, pace.poll_s, 1e9, 0, shop.roll())
        async with shop.db.transaction() as tx:
            await operations.submitted(
                tx,
                op,
                remote_id=submission.remote_id,
                credits_after=submission.credits_after,
                now=now,
                reply=reply or None,
            )
            for text in submission.warnings:
                await jobs.log(tx, job.id, "warning", now, operation=op.id, text=text)
            await shop.gate.went_well(tx, job.provider, accepted=True)
            await shop.move(tx, job, JobState.WAITING, "waiting", run_at=now + delay, attempts=0)
