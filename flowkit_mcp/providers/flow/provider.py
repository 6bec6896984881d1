"""Google Flow as a provider: briefs become calls over the bridge, answers become the contract's words.

Owns nothing but the order of calls. Codecs: `batchexecute.py` and `payloads.py`, `labs.py` and `labs_payloads.py`;
errors: `errors.py`; look-up: `lookup.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Account, MediaKind
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import (
    GenerationFailed,
    NotConnected,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Transient,
)
from flowkit_mcp.providers.base import (
    Brief,
    Capabilities,
    Done,
    Failed,
    Found,
    ImageUpscaleBrief,
    Pending,
    Progress,
    RemoteMedia,
    SentCall,
    Submission,
    UpscaleBrief,
    VideoBrief,
)
from flowkit_mcp.providers.flow import catalogue, errors, lookup, submission
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.channel import Channel
from flowkit_mcp.providers.flow.drift import Check, self_check
from flowkit_mcp.providers.flow.fetch import Fetcher, Origins, inline_url
from flowkit_mcp.providers.flow.housekeeping import HouseKeeping, keep_house
from flowkit_mcp.providers.flow.ids import Handle, Seeds, client_ref, for_labs, is_inline
from flowkit_mcp.providers.flow.records import MediaRecord, Status
from flowkit_mcp.providers.flow.stuck import Extensions
from flowkit_mcp.providers.flow.table import load

#: The simulator is driven as fast as it can draw, so that a demo takes seconds.
QUICK = Capabilities(
    submit_spacing_s=(0.0, 0.05),
    max_in_flight=5,
    first_poll_s=0.3,
    poll_s=0.3,
    look_up_grace_s=2.0,
    account_refresh_s=5.0,
)
_MIME = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_FOLLOWED = (None, Status.SUCCESSFUL)


class FlowProvider:
    """Flow through the user's own signed-in tab, or the simulator behind the same bridge.

    With `simulator` (`http://127.0.0.1:<port>`) media come from there alone, over http; otherwise from `media_hosts`
    over https.
    """

    name = "flow"

    def __init__(
        self,
        bridge: Channel,
        *,
        clock: Clock,
        capabilities: Capabilities | None = None,
        media_hosts: Sequence[str] | None = None,
        simulator: str | None = None,
        overrides: Path | None = None,
    ) -> None:
        """`overrides` names a TOML file like `models.toml`, which need not exist.

        Raises:
            InvalidSetting: the simulator's address is not on loopback, or a field of the overrides cannot be used.
        """
        self._bridge = bridge
        self._clock = clock
        self._facts = load(overrides)
        self._calls = Calls(bridge, clock, self._facts)
        self._extensions = Extensions(self._facts)
        self._capabilities = capabilities or (QUICK if simulator else Capabilities())
        hosts = self._facts.media_hosts if media_hosts is None else media_hosts
        self._fetcher = Fetcher(Origins.of(hosts, simulator))

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def connected(self) -> bool:
        """A browser is linked and its Flow tab answers. Signed in or not: a call says that better."""
        flow = self._bridge.flow
        return flow is not None and flow.tab == "ready"

    @property
    def via(self) -> str | None:
        return self._bridge.instance

    @property
    def lane(self) -> str | None:
        return self._bridge.flow.lane if self._bridge.flow else None

    def new_client_ref(self) -> str:
        return client_ref(Seeds.new(), self.lane)

    @property
    def account_label(self) -> str | None:
        flow = self._bridge.flow
        if flow is None:
            return None
        # Without a label, accounts are at least kept apart by browser profile.
        return flow.account or f"browser {(self._bridge.instance or '')[:8]}"

    async def account(self) -> Account:
        before = self.account_label
        credits = await self._calls.credits()
        usages = await self._calls.catalogue()
        label = self.account_label
        if label is None:
            raise NotConnected("the browser disconnected")
        if label != before:
            raise Transient("another account was signed in while this one was read")
        return Account(
            label=label,
            tier=self._facts.tiers.get(credits.tier, f"TIER_{credits.tier}"),
            credits=credits.balance,
            models=catalogue.models(usages, credits.tier, self._facts),
        )

    async def create_project(self, name: str) -> str:
        return await self._calls.create_project(name)

    async def upload_image(self, path: Path, project: str) -> str:
        data = await asyncio.to_thread(path.read_bytes)
        mime = _mime(data)
        if mime is None:
            raise Rejected(
                f"{path.name} is not a picture that Flow takes",
                hint="Use a PNG, JPEG, WebP, GIF or HEIC file.",
            )
        if len(data) > self._facts.max_upload_bytes:
            limit = self._facts.max_upload_bytes // 1_000_000
            raise Rejected(f"{path.name} is larger than {limit} MB", hint="Use a smaller picture.")
        try:
            return await self._calls.upload_image(project, data, mime, path.name)
        except Rejected as refusal:
            if refusal.reason != "DENIED":
                raise
            raise Rejected(  # once per account, flow-wire §5.1
                "Flow takes no upload from this account before its owner has agreed to the terms",
                hint="Upload one picture by hand in the Flow tab and agree to what it asks; then try again.",
                reason="DENIED",
            ) from refusal

    async def submit(self, brief: Brief, client_ref: str, via: str | None) -> Submission:
        seeds = Seeds.parse(client_ref)
        if (
            brief.media is MediaKind.IMAGE
            and self._calls.lane == "labs"
            and not for_labs(client_ref)
        ):
            # No id follows for a picture there, and a look-up must know that. Nothing was sent.
            raise Transient("Flow now serves this account its other page", reason="LANE_CHANGED")
        upscale = brief if isinstance(brief, UpscaleBrief | ImageUpscaleBrief) else None
        source, size = (upscale.source, upscale.resolution) if upscale else (None, None)
        expected = submission.expected_id(seeds, brief.media, source, size)
        call = await submission.prepare(self._calls, brief, seeds, via)
        try:
            result = await self._calls.pay(
                call.ask,
                client_ref=client_ref,
                via=via,
                credits=brief.credits,
                what=brief.what,
            )
            accepted = submission.read(
                result,
                brief.media,
                facts=self._facts,
                expected=expected,
                inputs=call.inputs,
                brief=brief,
                source=source,
                resolution=size,
                now=self._clock.now(),
            )
        except ProviderError as error:
            told = self._calls.unless_moved(call.ask, error)
            told.in_doubt = submission.may_be_a_copys(told, brief.credits)
            raise told from None
        except Exception as fault:
            # Whatever went wrong here may have happened after money was spent; it must not look like a refusal.
            raise OutcomeUnknown(
                f"FlowKit failed while submitting ({type(fault).__name__})"
            ) from fault
        media = Handle.parse(accepted.remote_id).media
        self._calls.made_in(brief.project, media)
        if isinstance(brief, VideoBrief) and brief.mode == "extend":
            self._extensions.taken(media, self._clock.now())
        return accepted

    async def look_up(self, call: SentCall) -> Found:
        return await lookup.look_up(
            self._bridge,
            self._calls,
            call,
            grace_s=self._capabilities.look_up_grace_s,
            now=self._clock.now(),
        )

    async def forget(self, client_ref: str) -> None:
        await self._bridge.ack(client_ref)

    async def poll(
        self,
        remote_ids: Sequence[str],
        media: MediaKind,
        projects: Mapping[str, str] | None = None,
    ) -> Mapping[str, Progress]:
        if not remote_ids:
            return {}
        for remote, project in (projects or {}).items():
            self._calls.lies_in(project, Handle.parse(remote).media)
        listed: Mapping[str, MediaRecord] = {}
        credits: int | None = None
        handles = {remote: Handle.parse(remote) for remote in remote_ids if not is_inline(remote)}
        if media is MediaKind.VIDEO and handles:
            listed, credits = await self._calls.video_status(list(handles.values()))
        found: dict[str, Progress] = {
            remote: Failed(error=errors.lost_picture())
            for remote in remote_ids
            if is_inline(remote)
        }
        trouble: Transient | None = None
        for remote, handle in handles.items():
            record = listed.get(handle.media)
            if record is None or (record.status in _FOLLOWED and not _has_file(record)):
                try:
                    record = await self._look(handle, record, media)
                except Transient as error:
                    trouble = error
            if record is not None and not record.unknown:
                progress = _progress(handle.media or remote, record, media, credits)
                stuck = self._extensions.complaint(handle.media, record, self._clock.now())
                found[remote] = Pending(stuck=stuck) if stuck else progress
        if trouble and not found:
            raise trouble
        return found

    async def _look(
        self, handle: Handle, record: MediaRecord | None, media: MediaKind
    ) -> MediaRecord | None:
        """Its address comes seconds after "done" and not in the poll; old jobs are not listed there at all."""
        id = handle.media or (record.parent if record else None)
        if not id:
            return record
        if record is not None and media is MediaKind.VIDEO:
            url = await self._calls.media_url(id)
            if url is not None:
                return replace(record, video_url=url)
        shown = await self._calls.media(id)
        return shown if isinstance(shown, MediaRecord) else record

    async def cancel(self, remote_id: str) -> bool:
        """Only clips, and only in lane `labs`: the other lane's call is not known in full (flow-wire §6.7)."""
        if is_inline(remote_id):
            return False
        return await HouseKeeping(self).cancel(Handle.parse(remote_id).media)

    async def keep_house(self, request: Housekeeping) -> dict[str, Any]:
        return await keep_house(HouseKeeping(self), request)

    async def self_check(self) -> tuple[Check, ...]:
        """Which reading calls still answer as this version expects. Free, changes nothing."""
        return await self_check(self._calls)

    @property
    def calls(self) -> Calls:
        """The typed calls of the lane of the moment, for housekeeping."""
        return self._calls

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        await self._fetcher.fetch(media, to)

    async def aclose(self) -> None:
        await self._fetcher.aclose()


def _has_file(record: MediaRecord) -> bool:
    return bool(record.video_url or record.data)


def _progress(
    remote_id: str, record: MediaRecord, media: MediaKind, credits: int | None
) -> Progress:
    if record.status == Status.FAILED:
        return Failed(error=errors.from_status(record.failure), credits_after=credits)
    if record.status == Status.CANCELLED:
        error = GenerationFailed(
            "the job was cancelled in Flow", reason="CANCELLED", charged="unknown"
        )
        return Failed(error=error, credits_after=credits)
    url = record.video_url if media is MediaKind.VIDEO else record.image_url
    if url is None and record.data:
        url = inline_url(record.data)
    if url is None or record.status not in _FOLLOWED:
        return Pending()
    remote_id = remote_id if not remote_id.startswith("operation/") else record.parent or remote_id
    done = RemoteMedia(remote_id=remote_id, media=media, url=url, bytes=record.bytes)
    return Done(media=done, credits_after=credits)


def _mime(data: bytes) -> str | None:
    """What the bytes are; Flow looks at them too (flow-wire §5.1)."""
    for start, mime in _MIME.items():
        if data.startswith(start):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1"):
        return "image/heic"
    return None
