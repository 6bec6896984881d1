"""The free Flow calls over the bridge, typed, each in the lane that the account is served at that moment.

What is sent: `batchexecute.py`, `labs.py`; what it answers: `payloads.py`, `labs_payloads.py`. Ids are the same in both
lanes, so what one lane made the other can read.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.clock import Clock
from flowkit_mcp.errors import (
    NotConnected,
    ProviderError,
    Rejected,
    SignInRequired,
    Transient,
)
from flowkit_mcp.providers.flow import (
    batchexecute,
    errors,
    labs,
    labs_catalogue,
    labs_payloads,
    payloads,
    reply,
)
from flowkit_mcp.providers.flow.ask import Ask, Lane, batch, rest, row_of
from flowkit_mcp.providers.flow.channel import Channel
from flowkit_mcp.providers.flow.envelope import Unreadable, text
from flowkit_mcp.providers.flow.ids import Handle, Seeds
from flowkit_mcp.providers.flow.records import (
    Contents,
    Credits,
    MediaRecord,
    NoMedia,
    ProjectRow,
    Records,
    Usage,
)
from flowkit_mcp.providers.flow.table import Table

T = TypeVar("T")


class Calls:
    """Flow's calls; all raise ProviderError."""

    def __init__(self, channel: Channel, clock: Clock, facts: Table) -> None:
        self._channel = channel
        self._clock = clock
        self.facts = facts
        self._paygate: str | None = None
        #: Which project a media id was made in: lane `labs` wants both for a poll.
        self._projects: dict[str, str] = {}
        self._project: str | None = None
        self._session = f";{clock.now()}"

    @property
    def lane(self) -> Lane:
        """Raises NotConnected."""
        flow = self._channel.flow
        if flow is None:
            raise NotConnected("no browser with the FlowKit extension is connected")
        return flow.lane or "batchexecute"

    @property
    def session(self) -> labs.Session:
        return labs.Session(self._session, self._paygate)

    def made_in(self, project: str, media: str) -> None:
        """Remember where this will be found."""
        self._project = project
        self.lies_in(project, media)

    def lies_in(self, project: str, media: str) -> None:
        """The same of what was made earlier, perhaps by a process that is gone."""
        self._projects[media] = project

    async def credits(self) -> Credits:
        if self.lane == "labs":
            tiers = self.facts.labs_tiers
            found = await self.free(
                rest(
                    self.facts,
                    "account.credits",
                    labs.Request(),
                    lambda payload: labs_payloads.credits(payload, tiers),
                )
            )
            self._paygate = found.paygate
            return found
        args = batchexecute.credits()
        return await self.free(batch(self.facts, "account.credits", args, payloads.credits))

    async def catalogue(self) -> tuple[Usage, ...]:
        if self.lane == "batchexecute":
            args = batchexecute.models()
            return await self.free(batch(self.facts, "account.models", args, payloads.catalogue))
        # In this lane the catalogue is part of a project.
        if self._project is None:
            page, _ = await self.project_page()
            self._project = page[0].id if page else None
        try:
            return await self._labs_catalogue()
        except Rejected as error:
            if self._project is not None and error.reason == "NOT_FOUND":
                self._project = None  # it was deleted; any other does as well
                return await self.catalogue()
            if self._project is not None:
                raise
            raise NotConnected(  # reading must not write: the person makes the first project
                "this Flow account has no project yet, and shows no prices without one",
                hint="Create a project in the Flow tab once; FlowKit goes on by itself.",
            ) from error

    async def _labs_catalogue(self) -> tuple[Usage, ...]:
        tiers = self.facts.labs_tiers
        return await self.free(
            rest(
                self.facts,
                "account.models",
                labs.project_contents(self._project),
                lambda payload: labs_catalogue.catalogue(payload, tiers),
            )
        )

    async def create_project(self, title: str) -> str:
        if self.lane == "labs":
            request = labs.create_project(title)
            ask = rest(self.facts, "project.create", request, labs_payloads.created_project)
        else:
            args = batchexecute.create_project(title)
            ask = batch(self.facts, "project.create", args, payloads.created_project)
        self._project = await self.free(ask)
        return self._project

    async def project_page(
        self, token: str | None = None
    ) -> tuple[tuple[ProjectRow, ...], str | None]:
        """One page of projects and the token of the next."""
        if self.lane == "labs":
            request = labs.project_list(token)
            return await self.free(
                rest(self.facts, "project.list", request, labs_payloads.projects)
            )
        args = batchexecute.project_list(token)
        return await self.free(batch(self.facts, "project.list", args, payloads.projects))

    async def upload_image(self, project: str, data: bytes, mime: str, name: str) -> str:
        """Returns the picture's media id."""
        seeds, text64 = Seeds.new(), base64.b64encode(data).decode()
        if self.lane == "labs":
            request = labs.upload_image(
                self.session, project, data=text64, mime=mime, name=name, seeds=seeds
            )
            ask = rest(self.facts, "image.upload", request, labs_payloads.uploaded)
        else:
            args = batchexecute.upload_image(
                project, data=text64, mime=mime, name=name, seeds=seeds
            )
            ask = batch(self.facts, "image.upload", args, payloads.uploaded, project)
        return (await self.free(ask)).id

    async def contents(self, project: str, *, instance: str | None = None) -> Contents:
        """What a project holds; heavy, up to 17 MB (flow-wire §9.3), and in lane `labs` perhaps from a cache."""
        if self.lane == "labs":
            request = labs.project_contents(project)
            ask = rest(self.facts, "project.contents", request, labs_payloads.contents)
        else:
            args = batchexecute.project_contents(project)
            ask = batch(self.facts, "project.contents", args, payloads.contents, project)
        return await self.free(ask, instance=instance)

    async def media(
        self, media: str, *, project: str | None = None, instance: str | None = None
    ) -> MediaRecord | NoMedia:
        """One media record, or why there is none."""
        if self.lane == "labs":
            ask: Ask[MediaRecord | NoMedia] = rest(
                self.facts,
                "media.get",
                labs.media_get(media),
                lambda payload: labs_payloads.media(payload, media) or NoMedia.SILENT,
            )
        else:
            args = batchexecute.media_get(media)
            ask = batch(
                self.facts,
                "media.get",
                args,
                lambda payload: payloads.media(payload, media),
                project,
            )
        try:
            return await self.ask(ask, instance=instance)
        except reply.Answered as answered:
            if answered.slot[:1] == [errors.NOT_FOUND]:
                return NoMedia.ABSENT
            if ask.lane == "labs" and answered.slot[:1] == [errors.INVALID]:
                return (
                    NoMedia.SILENT
                )  # Omni clips are refused here although they exist (flow-wire §7.3)
            raise answered.error from None

    async def media_url(self, media: str) -> str | None:
        """Lane `labs`: where a finished file can be fetched. None if Flow does not say, or it is the other lane."""
        if self.lane != "labs":
            return None
        ask = rest(self.facts, "media.url", labs.media_url(media), _address)
        try:
            return await self.ask(ask)
        except reply.Answered:
            return None
        except Rejected:
            return None  # an extension that does not know the call

    async def video_status(
        self, handles: Sequence[Handle]
    ) -> tuple[Mapping[str, MediaRecord], int | None]:
        """One poll for many: records by media id, and the balance if told.

        Ids that Flow does not know are missing; if it complains about one of them, all are (flow-wire §7.1).
        """
        if self.lane == "batchexecute":
            args = batchexecute.video_status([handle.media for handle in handles])
            asks = [batch(self.facts, "video.status", args, payloads.video_status)]
        else:
            plain = [
                (handle.media, self._projects.get(handle.media))
                for handle in handles
                if not handle.operation
            ]
            named = [handle.operation for handle in handles if handle.operation]
            requests = [labs.video_status(plain)] if plain else []
            requests += [labs.operation_status(named)] if named else []
            asks = [
                rest(self.facts, "video.status", request, labs_payloads.statuses)
                for request in requests
            ]
        media = {handle.operation: handle.media for handle in handles if handle.operation}
        found: dict[str, MediaRecord] = {}
        credits: int | None = None
        for ask in asks:
            answer = await self._status(ask)
            if answer is not None:
                credits = answer.credits if answer.credits is not None else credits
                found |= {
                    media.get(record.id, record.id): record
                    for record in answer.records
                    if not record.unknown
                }
        return found, credits

    async def _status(self, ask: Ask[Records]) -> Records | None:
        try:
            return await self.ask(ask)
        except reply.Answered as answered:
            complaint = errors.says_media_not_found(answered.slot)
            refused = ask.lane == "labs" and answered.slot[:1] == [errors.INVALID]
            if complaint or refused or answered.slot[:1] == [errors.NOT_FOUND]:
                return None
            raise answered.error from None

    async def pay(
        self, ask: Ask[Any], *, client_ref: str, via: str | None, credits: int, what: str = ""
    ) -> Result:
        """The one call that may cost. Raises NotConnected only if nothing was sent."""
        return await self._send(
            ask, paid=True, credits=credits, what=what, id=client_ref, instance=via
        )

    async def free(self, ask: Ask[T], *, instance: str | None = None) -> T:
        """Raises ProviderError, also where Flow refuses."""
        try:
            return await self.ask(ask, instance=instance)
        except reply.Answered as answered:
            raise answered.error from None

    async def ask(self, ask: Ask[T], *, instance: str | None = None) -> T:
        """Raises reply.Answered where Flow refuses with an error object, ProviderError for all else."""
        try:
            result = await self._send(ask, instance=instance)
            if ask.lane == "labs" and ask.name == "media.url" and result.error is None:
                return ask.parse(result)
            return ask.parse(self._decoded(ask, result))
        except Unreadable as unreadable:
            error = errors.from_unreadable(unreadable.kind, paying=False)
            raise self.unless_moved(ask, error) from None
        except reply.Answered as answered:
            if self._moved(ask):
                raise _moved() from None
            raise answered
        except ProviderError as error:
            raise self.unless_moved(ask, error) from None

    def unless_moved(self, ask: Ask[Any], error: ProviderError) -> ProviderError:
        """The error, or what it means while the account was moved to the other lane under the call.

        A refusal by a lane that the account is not served any more says that and nothing else. An unknown outcome
        stays one.
        """
        refusal = isinstance(error, SignInRequired | NotConnected | Rejected)
        return _moved() if refusal and self._moved(ask) else error

    def _moved(self, ask: Ask[Any]) -> bool:
        """The extension says so before it hands over the answer (docs/bridge-protocol.md, "Lane labs")."""
        flow = self._channel.flow
        return flow is not None and flow.lane not in (None, ask.lane)

    def _decoded(self, ask: Ask[Any], result: Result) -> Any:
        now = self._clock.now()
        if ask.lane == "labs":
            return reply.decoded(result, paying=False, now=now)
        return reply.payload(result, (ask.args["rpc"],), paying=False, now=now)

    async def _send(self, ask: Ask[Any], **options: Any) -> Result:
        _ = self.lane  # says that nobody is connected
        row = row_of(self.facts, ask)
        return await self._channel.call(
            ask.name,
            ask.args,
            lane=ask.lane,
            captcha=row.captcha,
            timeout_s=row.limit_s,
            **options,
        )


def _moved() -> Transient:
    return Transient("Flow now serves this account its other page", reason="LANE_CHANGED")


def _address(result: Result) -> str | None:
    """Where the redirect leads: in a `location` header, or told by the extension as `{"url": …}`."""
    location = next((v for k, v in result.headers.items() if k.lower() == "location"), None)
    if location:
        return location
    if result.status != 200 or not (result.body or "").startswith("{"):
        return None
    payload = reply.decoded(result, paying=False, now=0)
    return text(labs_payloads.get(payload, "url"))
