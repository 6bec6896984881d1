"""Google Flow as a provider: briefs become calls over the bridge, answers become the contract's words.

Owns nothing but the order of calls. Codec: `batchexecute.py`, `payloads.py`; errors: `errors.py`; look-up: `lookup.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Account, MediaKind
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
    Pending,
    Progress,
    RemoteMedia,
    SentCall,
    Submission,
    UpscaleBrief,
)
from flowkit_mcp.providers.flow import catalogue, errors, lookup, submission
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.channel import Channel
from flowkit_mcp.providers.flow.fetch import Fetcher, Origins
from flowkit_mcp.providers.flow.ids import Seeds, media_id
from flowkit_mcp.providers.flow.payloads import MediaRecord, Status
from flowkit_mcp.providers.flow.table import table

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
    ) -> None:
        """Raises InvalidSetting if the simulator's address is not on loopback."""
        self._bridge = bridge
        self._clock = clock
        self._calls = Calls(bridge, clock)
        self._capabilities = capabilities or (QUICK if simulator else Capabilities())
        hosts = table().media_hosts if media_hosts is None else media_hosts
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
        return str(Seeds.new())

    async def account(self) -> Account:
        credits = await self._calls.credits()
        usages = await self._calls.catalogue()
        flow = self._bridge.flow
        if flow is None:
            raise NotConnected("the browser disconnected")
        return Account(
            # Without a label, accounts are at least kept apart by browser profile.
            label=flow.account or f"browser {(self._bridge.instance or '')[:8]}",
            tier=table().tiers.get(credits.tier, f"TIER_{credits.tier}"),
            credits=credits.balance,
            models=catalogue.models(usages, credits.tier),
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
        if len(data) > table().max_upload_bytes:
            limit = table().max_upload_bytes // 1_000_000
            raise Rejected(f"{path.name} is larger than {limit} MB", hint="Use a smaller picture.")
        return await self._calls.upload_image(project, data, mime, path.name)

    async def submit(self, brief: Brief, client_ref: str, via: str | None) -> Submission:
        seeds = Seeds.parse(client_ref)
        source, size = (
            (brief.source, brief.resolution) if isinstance(brief, UpscaleBrief) else (None, None)
        )
        expected = submission.expected_id(seeds, source, size)
        call = await submission.prepare(self._calls, brief, seeds, via)
        try:
            result = await self._calls.pay(
                call.name,
                call.args,
                project=brief.project,
                client_ref=client_ref,
                via=via,
                credits=brief.credits,
            )
            return submission.read(
                result,
                brief.media,
                expected=expected,
                inputs=call.inputs,
                now=self._clock.now(),
            )
        except ProviderError:
            raise
        except Exception as fault:
            # Whatever went wrong here may have happened after money was spent; it must not look like a refusal.
            raise OutcomeUnknown(
                f"FlowKit failed while submitting ({type(fault).__name__})"
            ) from fault

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

    async def poll(self, remote_ids: Sequence[str], media: MediaKind) -> Mapping[str, Progress]:
        if not remote_ids:
            return {}
        listed: dict[str, MediaRecord] = {}
        credits: int | None = None
        plain = {remote: media_id(remote) for remote in remote_ids}
        if media is MediaKind.VIDEO:
            status = await self._calls.video_status(list(plain.values()))
            if status is not None:
                credits = status.credits
                listed = _by_id(status.records)
        found: dict[str, Progress] = {}
        trouble: Transient | None = None
        for remote, id in plain.items():
            record = listed.get(id)
            if record is None or (record.status in _FOLLOWED and not record.video_url):
                # Its address comes seconds after "done" and not in this call; old jobs are not listed at all.
                try:
                    shown = await self._calls.media(id)
                except Transient as error:
                    trouble = error
                else:
                    record = shown if isinstance(shown, MediaRecord) else record
            if record is not None and not record.unknown:
                found[remote] = _progress(remote, record, media, credits)
        if trouble and not found:
            raise trouble
        return found

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        await self._fetcher.fetch(media, to)

    async def aclose(self) -> None:
        await self._fetcher.aclose()


def _by_id(records: Sequence[MediaRecord]) -> dict[str, MediaRecord]:
    return {record.id: record for record in records if not record.unknown}


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
    if url is None or record.status not in _FOLLOWED:
        return Pending()
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
