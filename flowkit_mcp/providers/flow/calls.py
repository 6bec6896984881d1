"""The free Flow calls over the bridge, typed: what is sent (`batchexecute.py`) and what it answers (`payloads.py`)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.clock import Clock
from flowkit_mcp.errors import NotConnected
from flowkit_mcp.providers.flow import batchexecute, errors, payloads, reply
from flowkit_mcp.providers.flow.channel import Channel
from flowkit_mcp.providers.flow.envelope import Unreadable
from flowkit_mcp.providers.flow.ids import Seeds
from flowkit_mcp.providers.flow.payloads import Credits, MediaRecord, NoMedia, Records, Usage
from flowkit_mcp.providers.flow.table import table

LANE = "batchexecute"
T = TypeVar("T")


class Calls:
    """Flow's calls in this lane; all raise ProviderError."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock

    async def credits(self) -> Credits:
        return await self._free("account.credits", batchexecute.credits(), payloads.credits)

    async def catalogue(self) -> tuple[Usage, ...]:
        return await self._free("account.models", batchexecute.models(), payloads.catalogue)

    async def create_project(self, title: str) -> str:
        args = batchexecute.create_project(title)
        return await self._free("project.create", args, payloads.created_project)

    async def upload_image(self, project: str, data: bytes, mime: str, name: str) -> str:
        """Returns the picture's media id."""
        args = batchexecute.upload_image(
            project,
            data=base64.b64encode(data).decode(),
            mime=mime,
            name=name,
            seeds=Seeds.new(),
        )
        record = await self._free("image.upload", args, payloads.uploaded, project=project)
        return record.id

    async def contents(self, project: str, *, instance: str | None = None) -> Sequence[MediaRecord]:
        """All media of a project; heavy, up to 17 MB (flow-wire §9.3)."""
        return await self._free(
            "project.contents",
            batchexecute.project_contents(project),
            payloads.contents,
            project=project,
            instance=instance,
        )

    async def media(
        self, media: str, *, project: str | None = None, instance: str | None = None
    ) -> MediaRecord | NoMedia:
        """One media record, or why there is none."""
        try:
            return await self._ask(
                "media.get",
                batchexecute.media_get(media),
                lambda payload: payloads.media(payload, media),
                project=project,
                instance=instance,
            )
        except reply.Answered as answered:
            if answered.slot[:1] == [errors.NOT_FOUND]:
                return NoMedia.ABSENT
            raise answered.error from None

    async def video_status(self, media: Sequence[str]) -> Records | None:
        """One poll for many; None if Flow complains about an id instead of leaving it out (flow-wire §7.1)."""
        try:
            return await self._ask(
                "video.status", batchexecute.video_status(media), payloads.video_status
            )
        except reply.Answered as answered:
            complaint = errors.says_media_not_found(answered.slot)
            if complaint or answered.slot[:1] == [errors.NOT_FOUND]:
                return None
            raise answered.error from None

    async def pay(
        self,
        name: str,
        args: list[Any],
        *,
        project: str,
        client_ref: str,
        via: str | None,
        credits: int,
    ) -> Result:
        """The one call that may cost. Raises NotConnected only if nothing was sent."""
        return await self._send(
            name, args, project, paid=True, credits=credits, id=client_ref, instance=via
        )

    async def _free(
        self,
        name: str,
        args: list[Any],
        parse: Callable[[Any], T],
        *,
        project: str | None = None,
        instance: str | None = None,
    ) -> T:
        try:
            return await self._ask(name, args, parse, project=project, instance=instance)
        except reply.Answered as answered:
            raise answered.error from None

    async def _ask(
        self,
        name: str,
        args: list[Any],
        parse: Callable[[Any], T],
        *,
        project: str | None = None,
        instance: str | None = None,
    ) -> T:
        """Raises reply.Answered where Flow refuses in slot 5, ProviderError for all else."""
        result = await self._send(name, args, project, instance=instance)
        rpcs = (table().calls[name].rpc,)
        try:
            return parse(reply.payload(result, rpcs, paying=False, now=self._clock.now()))
        except Unreadable as unreadable:
            raise errors.from_unreadable(unreadable.kind, paying=False) from None

    async def _send(
        self, name: str, args: list[Any], project: str | None, **options: Any
    ) -> Result:
        flow = self._channel.flow
        if flow is None:
            raise NotConnected("no browser with the FlowKit extension is connected")
        if flow.lane not in (None, LANE):
            raise NotConnected(
                "this account is served Flow's older page, which this version does not drive",
                hint="Open flow.google.com in the connected browser and sign in there.",
            )
        row = table().calls[name]
        body = {
            "rpc": row.rpc,
            "args": args,
            "source_path": batchexecute.source_path(project),
        }
        return await self._channel.call(
            name, body, lane=LANE, captcha=row.captcha, timeout_s=row.limit_s, **options
        )
