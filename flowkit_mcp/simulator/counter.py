"""Where both lanes order: accepts through the order desk, hands work to the studio, waits for pictures."""

from __future__ import annotations

from collections.abc import Sequence

from flowkit_mcp.simulator.faults import ConnectionCut, Grpc, Markers, Refusal
from flowkit_mcp.simulator.orders import Identity, Order, OrderDesk, Scale
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Account, Media, Status
from flowkit_mcp.simulator.studio import Studio


class Counter:
    """One method per thing that can be ordered."""

    def __init__(self, service: FlowService, studio: Studio) -> None:
        self._service = service
        self._studio = studio
        self._desk = OrderDesk(service)

    async def pictures(self, account: Account, orders: Sequence[Order]) -> list[Media]:
        """Those that succeeded; the call is held until all are drawn (flow-wire §4.1).

        Raises:
            Refusal: refused, or none succeeded.
            ConnectionCut: a prompt asked for it, or the simulator closes.
        """
        made: list[Media] = []
        for order in orders:
            media = self._desk.accept(account, order)
            self._studio.begin(media)
            made.append(media)
        for media in made:
            await self._studio.finished(media)
        if any(media.status.pending for media in made):
            raise ConnectionCut  # the simulator is closing; the next run goes on with them
        self._cut_if_asked(orders)
        done = [media for media in made if media.status is Status.DONE]
        if not done:
            raise _sync_failure(made[0])
        return done

    def clip(self, account: Account, order: Order) -> Media:
        """Accepted and begun.

        Raises:
            Refusal: not accepted.
            ConnectionCut: accepted, but the prompt asked for it.
        """
        media = self._desk.accept(account, order)
        self._studio.begin(media)
        self._cut_if_asked([order])
        return media

    def upscale(
        self, account: Account, order: Order, resolution: object, *, key_decides: bool = False
    ) -> tuple[Media, bool]:
        """The bigger copy, and whether it is new.

        Raises:
            Refusal: not accepted.
        """
        media, new = self._desk.upscale(account, order, resolution, key_decides=key_decides)
        if new:
            self._studio.begin(media)
        return media, new

    async def upscale_picture(
        self, account: Account, source_id: object, size: Scale, rpc: str
    ) -> Media:
        """Held until it is there, as a picture is.

        Raises:
            Refusal, ConnectionCut: as with `pictures`.
        """
        media = self._desk.upscale_picture(account, source_id, size, rpc)
        self._studio.begin(media)
        await self._studio.finished(media)
        if media.status.pending:
            raise ConnectionCut
        if media.status is not Status.DONE:
            raise _sync_failure(media)
        return media

    def upload(
        self, account: Account, project_id: str | None, name: str, data: bytes, identity: Identity
    ) -> Media:
        """
        Raises:
            Refusal: not a picture, too large, no such project, no consent.
        """
        return self._desk.upload(account, project_id, name, data, identity)

    def copy(self, account: Account, source_id: object, project: str, identity: Identity) -> Media:
        """
        Raises:
            Refusal: no such picture or project, seeds used before.
        """
        return self._desk.copy(account, source_id, project, identity)

    def cancel(self, account: Account, media_id: object) -> Media:
        """Stop a clip that is still being made; its charge is refunded (flow-wire §6.7).

        Raises:
            Refusal: NOT_FOUND for a picture, CANNOT_BE_CANCELED when it is too late.
        """
        media = self._service.media(account.name, media_id)
        if media.kind == "image":
            raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
        if not media.status.pending:
            raise Refusal(Grpc.INVALID_ARGUMENT, "MEDIA_GENERATION_CANNOT_BE_CANCELED")
        self._studio.stop(media)
        self._service.cancel(media)
        return media

    def _cut_if_asked(self, orders: Sequence[Order]) -> None:
        if any(Markers.of(order.prompt).cut for order in orders):
            raise ConnectionCut


def _sync_failure(media: Media) -> Refusal:
    """A picture fails inside its own call, so the reason comes as a refusal."""
    if media.reason in ("PROMINENT_PEOPLE_FILTER_FAILED", "IP_INPUT_IMAGE", "UNSAFE_GENERATION"):
        return Refusal(Grpc.INVALID_ARGUMENT, media.reason)
    return Refusal(Grpc.INTERNAL, media.reason or None)
