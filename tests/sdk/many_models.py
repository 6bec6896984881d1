"""A catalogue of the scripted provider in which every mode has a model."""

from __future__ import annotations

from flowkit_mcp.domain.models import MediaKind, Model

VIDEO = MediaKind.VIDEO

MANY_MODELS = (
    Model(
        key="PIC", family="pic", name="Pic", media=MediaKind.IMAGE, credits=0, modes=("image",),
        max_references=5,
    ),
    Model(
        key="clip_8s", family="clip", name="Clip", media=VIDEO, credits=12, duration_s=8,
        modes=("start", "start_end"), resolution="720p",
    ),
    Model(
        key="up_1080p", family="upscale", name="Upscale", media=VIDEO, credits=3,
        modes=("upscale",), resolution="1080p",
    ),
    Model(
        key="up_4k", family="upscale", name="Upscale 4K", media=VIDEO, credits=None,
        modes=("upscale",), resolution="4K",
    ),
    Model(
        key="draft_8s", family="clip", name="Clip", media=VIDEO, credits=6, duration_s=8,
        modes=("start",), resolution="360p",
    ),
    Model(
        key="long_8s", family="long", name="Long", media=VIDEO, credits=10, duration_s=8,
        modes=("start",), resolution="720p",
    ),
    Model(key="long_on", family="long", name="Long", media=VIDEO, credits=11, modes=("extend",)),
    Model(
        key="words_8s", family="clip", name="Clip", media=VIDEO, credits=9, duration_s=8,
        modes=("text",), resolution="720p",
    ),
    Model(
        key="refs_8s", family="clip", name="Clip", media=VIDEO, credits=15, duration_s=8,
        modes=("references",), resolution="720p", max_references=2, max_voices=2,
    ),
    Model(
        key="up_720p", family="upscale", name="Upscale", media=VIDEO, credits=0,
        modes=("upscale",), resolution="720p",
    ),
    Model(
        key="PIC_2K", family="pic-up", name="Pic upscale", media=MediaKind.IMAGE, credits=1,
        modes=("upscale_image",), resolution="2K",
    ),
    Model(
        key="PIC_4K", family="pic-up", name="Pic upscale", media=MediaKind.IMAGE, credits=None,
        modes=("upscale_image",), resolution="4K",
    ),
)  # fmt: skip
