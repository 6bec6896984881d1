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
from flowkit_mcp.simulator.captcha import CaptchaDesk
from flowkit_mcp.simulator.catalogue import Catalogue, Usage
from flowkit_mcp.simulator.faults import FaultKind, Grpc, Refusal, unusual_activity
from flowkit_mcp.simulator.ids import random_id
from flowkit_mcp.simulator.state import (
    STARTING_CREDITS,
    Account,
    Fault,
    LedgerEntry,
    Media,
    Project,
    Session,
    StateFile,
    Status,
    Switches,
    Tier,
    Workflow,
)

DEFAULT_ACCOUNT = "demo"


class Commands(BaseModel):
    """What the admin can change besides `Switches`: the account, and things that happen once."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = Field(
        default=None, description="Whose tier and balance: opened if unknown, else the default"
    )
    tier: Tier | None = Field(default=None, description="The plan of the account")
    balance: int | None = Field(default=None, ge=0, description="Its credits")
    stale_page: bool = Field(
        default=False,
        description="Page values of all sessions stop working until the page is loaded",
    )
    sign_out: bool = Field(default=False, description="Every session ends")


class FlowService:
    """One simulated Flow. `tier` and `credits` are what a new account starts with."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        tier: Tier = "pro",
        credits: int | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.catalogue = Catalogue.load()
        self.files = StateFile(folder)
        self.state = self.files.load()
        self.captcha = CaptchaDesk(self.clock)
        self._tier: Tier = tier
        self._credits = credits
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
        account = Account(name=name, tier=self._tier, balance=credits)
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
        policy = self.state.switches.captcha
        good = self.captcha.redeem(token, account, tuple(actions))
        if not (policy == "off" or (good and policy == "enforce")):
            raise unusual_activity()

    def offered(self, usage: Usage) -> bool:
        """Whether this Flow knows the key at all; Veo's keys per orientation may be switched off."""
        return self.state.switches.portrait_keys == "listed" or not usage.upright_twin

    # Projects

    def projects(self, account: str) -> list[Project]:
        """Newest first."""
        mine = [p for p in self.state.projects.values() if p.account == account]
        return sorted(mine, key=lambda project: project.created_at, reverse=True)

    def project(self, account: str, project_id: object) -> Project:
        """
        Raises:
            Refusal: NOT_FOUND, also for a project of another account.
        """
        found = self.state.projects.get(project_id) if isinstance(project_id, str) else None
        if found is None or found.account != account:
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
        ttl = self.state.switches.upload_ttl_s
        if media.mode == "upload" and ttl is not None:
            return self.clock.now() < media.created_at + ttl * 1000
        return media.kind == "video" or media.status is Status.DONE

    def contents(self, project: Project) -> tuple[list[Workflow], list[Media]]:
        media = [m for m in self.state.media.values() if m.project == project.id]
        media = [m for m in media if self.visible(m)]
        shown = {m.workflow for m in media}
        return [w for w in self.state.workflows.values() if w.id in shown], media

    def add(self, media: Media, batch: str | None) -> None:
        """Accept a medium: its tile, its charge, and the medium, in one step that is saved."""
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
        if commands.stale_page:
            self.state.build += 1
            for session in self.state.sessions.values():
                session.at = self._new_at()
        if commands.sign_out:
            self.state.sessions.clear()
        self.save()

    def add_fault(self, rpc: str, kind: FaultKind, times: int = 1) -> None:
        self.state.faults.append(Fault(rpc=rpc, kind=kind, times=times))
        self.save()

    def take_fault(self, rpc: str) -> FaultKind | None:
        """The fault for this call of `rpc`, used up by it."""
        fault = next((fault for fault in self.state.faults if fault.rpc == rpc), None)
        if fault is None:
            return None
        fault.times -= 1
        self.state.faults = [fault for fault in self.state.faults if fault.times > 0]
        self.save()
        return fault.kind
