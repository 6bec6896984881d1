"""The simulated Flow itself: accounts, projects, media, money, faults. No HTTP, no wire format, no waiting.

Every method is synchronous and saves before it returns, so what a caller was told survives a kill.
What may be ordered, and in which order it is checked, is in `orders.py`; what takes time, in `studio.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator.bearers import BearerDesk
from flowkit_mcp.simulator.captcha import CaptchaDesk
from flowkit_mcp.simulator.catalogue import Catalogue, Usage
from flowkit_mcp.simulator.chaos import Chaos
from flowkit_mcp.simulator.faults import FaultKind, Grpc, Refusal, unusual_activity
from flowkit_mcp.simulator.ids import random_id
from flowkit_mcp.simulator.state import (
    STARTING_CREDITS,
    Account,
    Fault,
    Lane,
    LedgerEntry,
    Media,
    Project,
    Session,
    StateFile,
    Status,
    Tier,
    Workflow,
)
from flowkit_mcp.simulator.switches import Switches

DEFAULT_ACCOUNT = "demo"


class Commands(BaseModel):
    """What the admin can change besides `Switches`: the account, and things that happen once."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = Field(
        default=None, description="Whose tier and balance: opened if unknown, else the default"
    )
    tier: Tier | None = Field(default=None, description="The plan of the account")
    balance: int | None = Field(default=None, ge=0, description="Its credits")
    lane: Lane | None = Field(default=None, description="The protocol it is served from now on")
    consent: bool | None = Field(default=None, description="Whether it agreed to upload")
    distrust_s: float | None = Field(
        default=None, ge=0, description="For so many seconds each of its captcha tokens is refused"
    )
    stale_page: bool = Field(
        default=False,
        description="Page values of all sessions stop working until the page is loaded",
    )
    sign_out: bool = Field(default=False, description="Every session ends")


class FaultOrder(BaseModel):
    """An order for faults: the next `times` calls of `rpc`, or all within `for_s` seconds."""

    model_config = ConfigDict(extra="forbid")

    rpc: str
    kind: FaultKind
    times: int = Field(default=1, ge=1)
    for_s: float | None = Field(default=None, gt=0)


class FlowService:
    """One simulated Flow. `tier` and `credits` are what a new account starts with."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        tier: Tier = "pro",
        credits: int | None = None,
        lane: Lane = "batchexecute",
        chaos: Chaos | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.catalogue = Catalogue.load()
        self.files = StateFile(folder)
        self.state = self.files.load()
        self.captcha = CaptchaDesk(self.clock)
        self.bearers = BearerDesk(self.clock)
        self._tier: Tier = tier
        self._credits = credits
        self._lane: Lane = lane
        self.chaos = chaos
        if not self.state.default_account:
            self.state.default_account = DEFAULT_ACCOUNT
            self._open_account(DEFAULT_ACCOUNT)
            self.save()

    def save(self) -> None:
        self.files.save(self.state)

    # Accounts and sessions

    @property
    def build_label(self) -> str:
        return f"boq_labs-ai-sandbox-frontend_20261006.{self.state.build}_p0"

    def account(self, name: str | None = None) -> Account:
        return self.state.accounts[name or self.state.default_account]

    def _open_account(self, name: str) -> Account:
        credits = STARTING_CREDITS[self._tier] if self._credits is None else self._credits
        account = Account(name=name, tier=self._tier, balance=credits, lane=self._lane)
        self.state.accounts[name] = account
        return account

    def sign_in(self, name: str | None) -> str:
        """The cookie of a new session; an unknown account is opened."""
        name = name or self.state.default_account
        if name not in self.state.accounts:
            self._open_account(name)
        cookie = secrets.token_urlsafe(24)
        self.state.sessions[cookie] = Session(
            account=name, at=self._new_at(), sid=str(-secrets.randbits(62))
        )
        self.save()
        return cookie

    def sign_out(self, cookie: str | None) -> None:
        if cookie and self.state.sessions.pop(cookie, None):
            self.save()

    def session(self, cookie: str | None) -> Session | None:
        return self.state.sessions.get(cookie) if cookie else None

    def load_page(self, session: Session) -> None:
        """A page is loaded: with the switch on, its values change and the old ones die."""
        if self.state.switches.rotate_page:
            session.at = self._new_at()
            self.state.build += 1
            self.save()

    def _new_at(self) -> str:
        return f"A{secrets.token_urlsafe(24)}:{self.clock.now()}"

    def check_captcha(self, token: object, account: str, actions: Iterable[str]) -> None:
        """Use a token up.

        Raises:
            Refusal: UNUSUAL_ACTIVITY, whatever was wrong with it.
        """
        switches = self.state.switches
        policy = switches.captcha
        good = self.captcha.redeem(token, account, tuple(actions), switches.captcha_lifetime_s)
        if self.clock.now() < self.account(account).distrusted_until:
            good, policy = False, "enforce"
        if not (policy == "off" or (good and policy == "enforce")):
            raise unusual_activity()

    def rotate_cookie(self, cookie: str) -> str:
        """The session under a new cookie; the old one stops working (flow-wire §1.2)."""
        fresh = secrets.token_urlsafe(24)
        self.state.sessions[fresh] = self.state.sessions.pop(cookie)
        self.save()
        return fresh

    def usage(self, key: str) -> Usage | None:
        """What a key means today, or None if this Flow does not know it."""
        renamed = self.state.switches.renamed_models
        old = next((old for old, new in renamed.items() if new == key), key)
        usage = self.catalogue.usage(old)
        return None if usage is None else self.shown(usage, key)

    def shown(self, usage: Usage, key: str | None = None) -> Usage | None:
        """The usage under its name of today, None where it is not offered (or not by `key`)."""
        switches = self.state.switches
        if switches.portrait_keys != "listed":
            if usage.upright_twin:
                return None
            usage = usage.for_both_shapes()
        name = switches.renamed_models.get(usage.key, usage.key)
        if key is not None and key != name:
            return None
        return usage if name == usage.key else usage.model_copy(update={"key": name})

    # Projects

    def projects(self, account: str) -> list[Project]:
        """Newest first."""
        mine = [p for p in self.state.projects.values() if p.account == account and not p.deleted]
        return sorted(mine, key=lambda project: project.created_at, reverse=True)

    def project(self, account: str, project_id: object) -> Project:
        """
        Raises:
            Refusal: NOT_FOUND, also for a project of another account.
        """
        found = self.state.projects.get(project_id) if isinstance(project_id, str) else None
        if found is None or found.account != account or found.deleted:
            raise Refusal(Grpc.NOT_FOUND)
        return found

    def create_project(self, account: str, title: str) -> Project:
        project = Project(id=random_id(), account=account, title=title, created_at=self.clock.now())
        self.state.projects[project.id] = project
        self.save()
        return project

    # Media

    def media(self, account: str, media_id: object) -> Media:
        """A medium of this account that Flow admits to have.

        Raises:
            Refusal: NOT_FOUND: unknown, another account's, an expired upload, a picture not yet drawn.
        """
        found = self.state.media.get(media_id) if isinstance(media_id, str) else None
        if found is None or not self.visible(found):
            raise Refusal(Grpc.NOT_FOUND)
        self.project(account, found.project)
        return found

    def visible(self, media: Media) -> bool:
        if media.deleted:
            return False
        ttl = self.state.switches.upload_ttl_s
        if media.mode == "upload" and ttl is not None:
            return self.clock.now() < media.created_at + ttl * 1000
        return media.kind == "video" or media.status is Status.DONE

    def contents(self, project: Project) -> tuple[list[Workflow], list[Media]]:
        """Tiles and media; with the switch on, without the newest."""
        before = self.clock.now() - self.state.switches.listing_lag_s * 1000
        media = [m for m in self.state.media.values() if m.project == project.id]
        media = [m for m in media if self.visible(m) and m.created_at <= before]
        shown = {m.workflow for m in media}
        return [w for w in self.state.workflows.values() if w.id in shown], media

    def add(self, media: Media, batch: str | None) -> None:
        """Accept a medium: its tile, its charge, and the medium, in one step that is saved."""
        if self.chaos is not None and media.mode != "upload":
            media.fate = self.chaos.fate(media.kind)
        self.state.media[media.id] = media
        if media.workflow in self.state.workflows:
            self.state.workflows[media.workflow].updated_at = media.created_at
        else:
            self.state.workflows[media.workflow] = Workflow(
                id=media.workflow,
                project=media.project,
                title=media.title,
                primary=media.id,
                batch=batch,
                created_at=media.created_at,
                updated_at=media.created_at,
            )
        if media.mode != "upload":
            self._book("charge", media, "")
        left = self.state.switches.quota.get(media.model)
        if left is not None:
            self.state.switches.quota[media.model] = left - 1
        self.save()

    def start(self, media: Media) -> None:
        self._become(media, Status.ACTIVE)

    def back_to_queue(self, media: Media) -> None:
        """A regression to an earlier state, as Flow shows now and then (flow-wire §7.1)."""
        self._become(media, Status.SCHEDULED)

    def show_poster(self, media: Media) -> None:
        media.poster = True
        self.save()

    def finish(self, media: Media, size: int) -> None:
        """Status done; a clip's address comes later, with `publish`."""
        media.bytes = size
        media.poster = True
        media.ready = media.kind == "image"
        self._become(media, Status.DONE)

    def publish(self, media: Media) -> None:
        media.ready = True
        self.save()

    def fail(self, media: Media, reason: str) -> None:
        """Accepted, then ended badly: the charge is refunded in the same step."""
        media.reason = reason
        self._book("refund", media, reason or "no reason")
        self._become(media, Status.FAILED)

    def cancel(self, media: Media) -> None:
        """Stopped by its owner: refunded too."""
        self._book("refund", media, "cancelled")
        self._become(media, Status.CANCELED)

    def _become(self, media: Media, status: Status) -> None:
        media.status = status
        self.save()

    # Money

    def _book(self, kind: Literal["charge", "refund"], media: Media, reason: str) -> None:
        account = self.account(self.state.projects[media.project].account)
        account.balance += media.cost if kind == "refund" else -media.cost
        self.state.ledger.append(
            LedgerEntry(
                at=self.clock.now(),
                kind=kind,
                credits=media.cost,
                account=account.name,
                rpc=media.rpc,
                project_id=media.project,
                media_id=media.id,
                seed=media.client_seed,
                model=media.model,
                reason=reason,
            )
        )

    def shown_balance(self, account: Account) -> int:
        """The credits as read; with the switch on, before the latest booking."""
        last = next((e for e in reversed(self.state.ledger) if e.account == account.name), None)
        if last is None or not self.state.switches.stale_credits:
            return account.balance
        return account.balance + (last.credits if last.kind == "charge" else -last.credits)

    @property
    def charged(self) -> int:
        """Charges minus refunds, of all accounts."""
        signs = {"charge": 1, "refund": -1}
        return sum(signs[entry.kind] * entry.credits for entry in self.state.ledger)

    # Switches and faults

    def switch(self, values: Mapping[str, Any]) -> None:
        """Set any fields of `Switches` and `Commands`.

        Raises:
            pydantic.ValidationError: an unknown name or a value that cannot be; nothing is changed then.
        """
        names = Switches.model_fields.keys()
        given = {name: value for name, value in values.items() if name in names}
        commands = Commands.model_validate({k: v for k, v in values.items() if k not in names})
        switches = Switches.model_validate(self.state.switches.model_dump() | given)
        self.state.switches = switches
        if commands.account is not None and commands.account not in self.state.accounts:
            self._open_account(commands.account)
        account = self.account(commands.account)
        if commands.tier is not None:
            account.tier = commands.tier
        if commands.balance is not None:
            account.balance = commands.balance
        if commands.lane is not None:
            account.lane = commands.lane
        if commands.consent is not None:
            account.consented = commands.consent
        if commands.distrust_s is not None:
            account.distrusted_until = self.clock.now() + int(commands.distrust_s * 1000)
        if commands.stale_page:
            self.state.build += 1
            for session in self.state.sessions.values():
                session.at = self._new_at()
        if commands.sign_out:
            self.state.sessions.clear()
            self.bearers.revoke()
        self.save()

    def add_fault(
        self, rpc: str, kind: FaultKind, times: int = 1, for_s: float | None = None
    ) -> None:
        """`rpc` may be `*`; with `for_s` every call within so many seconds goes wrong."""
        until = None if for_s is None else self.clock.now() + int(for_s * 1000)
        self.state.faults.append(Fault(rpc=rpc, kind=kind, times=times, until=until))
        self.save()

    def take_fault(self, rpc: str) -> FaultKind | None:
        """The fault for this call of `rpc`, used up by it; else what chaos has in store."""
        now = self.clock.now()
        faults = [f for f in self.state.faults if f.until is None or now < f.until]
        fault = next((fault for fault in faults if fault.rpc in (rpc, "*")), None)
        if fault is None:
            return None if self.chaos is None else self.chaos.fault(rpc)
        if fault.until is None:
            fault.times -= 1
        self.state.faults = [fault for fault in faults if fault.times > 0]
        self.save()
        return fault.kind
