"""The paying calls of a brief whose ids are all known, in the lane of the moment. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from flowkit_mcp.providers.base import ImageBrief, ImageUpscaleBrief, UpscaleBrief, VideoBrief
from flowkit_mcp.providers.flow import batchexecute, batchexecute_house, labs, payloads
from flowkit_mcp.providers.flow.ask import Ask, batch, rest
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.ids import Seeds


def image(
    calls: Calls,
    brief: ImageBrief,
    seeds: Seeds,
    base: str | None,
    references: Sequence[str],
    workflow: str | None,
) -> Ask[Any]:
    """A picture, or an edit of `base`."""
    given: dict[str, Any] = {
        "model": brief.model,
        "prompt": brief.prompt,
        "orientation": brief.orientation,
        "seed": brief.seed,
        "batch": seeds.batch,
        "references": references,
        "base": base,
    }
    if calls.lane == "labs":
        return _rest(
            calls, "image.generate", labs.generate_image(calls.session, brief.project, **given)
        )
    wide = calls.facts.switches.image_wide
    args = batchexecute.generate_image(
        brief.project, **given, seeds=seeds, workflow=workflow, wide=wide
    )
    return _batch(calls, "image.generate", args, brief.project)


def image_upscale(calls: Calls, brief: ImageUpscaleBrief, source: str) -> Ask[Any]:
    if calls.lane == "labs":
        request = labs.upscale_image(
            calls.session, brief.project, media=source, resolution=brief.resolution
        )
        return _rest(calls, "image.upscale", request)
    level = calls.facts.switches.image_upscale_levels[brief.resolution]
    args = batchexecute.upscale_image(source, level)
    return _batch(calls, "image.upscale", args, brief.project)


def video(calls: Calls, brief: VideoBrief, seeds: Seeds, inputs: Sequence[str]) -> Ask[Any]:
    """All modes but `extend`; `inputs` are the pictures of the mode, in order."""
    common: dict[str, Any] = {
        "model": brief.model,
        "prompt": brief.prompt,
        "orientation": brief.orientation,
        "seeds": seeds,
        "batch": seeds.batch,
    }
    match brief.mode:
        case "start":
            pictures: dict[str, Any] = {"start": inputs[0]}
            build = batchexecute.video_from_start
        case "start_end":
            pictures = {"start": inputs[0], "end": inputs[1]}
            build = batchexecute.video_from_start_to_end
        case "references":
            pictures = {"references": inputs, "voices": brief.voices}
            build = batchexecute.video_from_references
        case _:
            pictures = {}
            build = batchexecute.video_from_text
    name = f"video.{brief.mode}"
    if calls.lane == "labs":
        request = labs.video(calls.session, brief.project, **common, **pictures, seed=brief.seed)
        return _rest(calls, name, request)
    if brief.mode != "start_end":  # there the key alone tells the size (flow-wire §6.1)
        pictures["small"] = calls.facts.resolution_of(brief.model) == "360p"
    args = cast("Any", build)(brief.project, **common, **pictures)
    return _batch(calls, name, args, brief.project)


def extend(
    calls: Calls,
    brief: VideoBrief,
    seeds: Seeds,
    source: str,
    frames: tuple[int, int],
    workflow: str | None,
    scene: str | None,
) -> Ask[Any]:
    """Which id names the source in lane `batchexecute` is in conflict (flow-wire §6.6, §10)."""
    common: dict[str, Any] = {
        "model": brief.model,
        "prompt": brief.prompt,
        "orientation": brief.orientation,
        "frames": frames,
        "seeds": seeds,
        "batch": seeds.batch,
    }
    if calls.lane == "labs":
        request = labs.extend_video(
            calls.session,
            brief.project,
            **common,
            source=source,
            seed=brief.seed,
            workflow=workflow,
        )
        return _rest(calls, "video.extend", request)
    if calls.facts.switches.extend_source == "workflow":
        source = workflow or source
    args = batchexecute.extend_video(brief.project, **common, source=source, scene=scene)
    return _batch(calls, "video.extend", args, brief.project)


def upscale(
    calls: Calls, brief: UpscaleBrief, seeds: Seeds, source: str, workflow: str | None
) -> Ask[Any]:
    common: dict[str, Any] = {
        "model": brief.model,
        "source": source,
        "orientation": brief.orientation,
        "batch": seeds.batch,
    }
    if calls.lane == "labs":
        request = labs.upscale_video(
            calls.session,
            brief.project,
            **common,
            resolution=brief.resolution,
            seed=brief.seed,
        )
        return _rest(calls, "video.upscale", request)
    resolution: Literal["720p", "1080p", "4K"] = brief.resolution
    args = batchexecute.upscale_video(
        brief.project,
        **common,
        workflow=workflow,
        resolution=resolution,
        seeds=seeds,
        slot_6=calls.facts.switches.upscale_slot_6,
    )
    return _batch(calls, "video.upscale", args, brief.project)


def scene(calls: Calls, project: str, workflow: str) -> Ask[str]:
    """Free: the scene that an extension goes into, made as the page does it."""
    args = batchexecute_house.create_scene(project, [workflow])
    return batch(calls.facts, "scene.create", args, payloads.created_scene, project)


def _batch(calls: Calls, name: str, args: list[Any], project: str) -> Ask[Any]:
    return batch(calls.facts, name, args, payloads.done, project)


def _rest(calls: Calls, name: str, request: labs.Request) -> Ask[Any]:
    return rest(calls.facts, name, request, payloads.done)
