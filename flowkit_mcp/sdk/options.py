"""What may be said about something that is to be made; every field may be left out."""

from __future__ import annotations

import asyncio
from typing import Literal, TypedDict

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Model, Orientation
from flowkit_mcp.providers.flow.catalogue import choose
from flowkit_mcp.providers.flow.table import usable

VideoMode = Literal["auto", "start", "start_end", "references", "text", "extend"]
ClipSize = Literal["720p", "1080p", "4K"]
PictureSize = Literal["2K", "4K"]

#: The 30 preset voices (flow-wire §6.9).
VOICES = frozenset(
    "achernar achird algenib algieba alnilam aoede autonoe callirrhoe charon despina enceladus erinome "
    "fenrir gacrux iapetus kore laomedeia leda orus puck pulcherrima rasalgethi sadachbia sadaltager "
    "schedar sulafat umbriel vindemiatrix zephyr zubenelgenubi".split()
)


class EditOptions(TypedDict, total=False):
    """`model`: family (`nano-banana-pro`) or exact key. `seed`: 0 or more; by chance if left out."""

    model: str | None
    seed: int | None


class ImageOptions(EditOptions, total=False):
    """`new_take`: another attempt, though the slot is filled."""

    new_take: bool


class FrameOptions(ImageOptions, total=False):
    """`last_frame`: the last frame of the clip that this scene continues, instead of a picture by a model."""

    last_frame: bool


class ReferenceOptions(ImageOptions, total=False):
    """`style`: the look that every picture of the project has; left out: none."""

    style: str


class RefsOptions(TypedDict, total=False):
    """`duration_s`: seconds; about 8 if left out. `resolution`: `360p` or `720p`. `voices`: preset voices."""

    model: str | None
    duration_s: int | None
    resolution: str | None
    voices: tuple[str, ...]
    new_take: bool
    seed: int | None


class VideoOptions(RefsOptions, total=False):
    """`mode`: how the clip is driven; see `Scene.plan_video`."""

    mode: VideoMode


class UpscaleOptions(TypedDict, total=False):
    """`resolution`: of the result; 1080p if left out."""

    resolution: ClipSize
    model: str | None
    new_take: bool


class ImageUpscaleOptions(TypedDict, total=False):
    """`resolution`: of the result; 2K if left out."""

    resolution: PictureSize
    model: str | None
    new_take: bool


async def choose_model(
    kit: FlowKit,
    mode: str,
    orientation: Orientation,
    *,
    model: str | None,
    duration_s: int | None = None,
    resolution: str | None = None,
) -> Model:
    """The model of the connected account that fits, with its live price in `credits`. No call is made.

    Raises:
        InvalidSetting: nothing fits; the hint lists what the account has for this, with prices.
        NotConnected: no account has been seen yet.
    """
    account = await kit.account()
    return choose(
        account.models,
        mode,
        wanted=model,
        duration_s=duration_s,
        orientation=orientation,
        resolution=resolution,
        facts=await asyncio.to_thread(usable, kit.settings.flow_facts),
    )
