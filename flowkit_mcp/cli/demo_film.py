"""The production, as tool calls. Each step looks at what is there and asks for what is missing.

So a film that was interrupted anywhere is finished by simply making it again.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowkit_mcp.cli import demo_story as story
from flowkit_mcp.cli.demo_client import DemoFailed, Say, Tools
from flowkit_mcp.cli.demo_progress import Journey

CAST, PICTURES, CHANGES = "Cast and location", "Scene pictures", "One edit, one continuation"
CLIPS, UPSCALE, FILMS = "Clips", "One clip in 1080p", "Two films"
UPLOAD = "Upload to the local YouTube"

#: Seconds each usually takes on two cores.
STAGES = {
    CAST: 3.0,
    PICTURES: 3.0,
    CHANGES: 2.5,
    CLIPS: 16.0,
    UPSCALE: 5.0,
    FILMS: 2.0,
    UPLOAD: 2.0,
}

READY_S = 30.0
LOOK_EVERY_S = 1.0

MOVING = ("queued", "running", "waiting")

Scene = dict[str, Any]


@dataclass(frozen=True)
class Slot:
    """What `get_project` says of a slot: `done take 2`, `job 41 waiting`, `empty`; path if there is one."""

    state: str
    path: Path | None

    @property
    def done(self) -> bool:
        return self.state.startswith("done")

    @property
    def take(self) -> int:
        """The number of the take in use; 0 if there is none."""
        found = re.search(r"take (\d+)", self.state)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Made:
    """A finished video: `films` and `scenes` as `get_project` tells them."""

    project: str
    video: str
    films: list[dict[str, Any]]
    scenes: list[Scene]
    watch: str = ""  #: address of the wide film on the local YouTube


def slot(scene: Scene, orientation: str, stage: str) -> Slot:
    """One slot of a scene of `get_project(detail="full")`."""
    told = scene["slots"][orientation][stage]
    if isinstance(told, str):
        return Slot(told, None)
    return Slot(str(told["state"]), Path(str(told["path"])))


class Production:
    """Makes one video with one connection."""

    def __init__(self, tools: Tools, journey: Journey, say: Say) -> None:
        self._tools = tools
        self._journey = journey
        self._say = say
        self._video = ""

    async def make(self, video: str | None) -> Made:
        """Finish this video, or find out which one it is.

        Raises:
            DemoFailed, ServerLost.
        """
        await self._ready()
        self._video = video or await self._choose()
        await self._rest_of_last_time()
        await self._cast()
        await self._pictures()
        await self._changes()
        await self._clips()
        await self._upscale()
        await self._films()
        watch = await self._upload()
        return replace(await self.made(self._video), watch=watch)

    @property
    def video(self) -> str | None:
        """The video this run is about; known soon after `make` has begun."""
        return self._video or None

    async def made(self, video: str) -> Made:
        view = await self._view(video)
        told = next(one for one in view["videos"] if one["title"] == video)
        return Made(story.PROJECT["name"], video, list(told["films"]), list(view["scenes"]))

    # ---- what it is about --------------------------------------------------------------------

    async def _ready(self) -> None:
        """The stand-in browser finds the new server within a second or so."""
        loop = asyncio.get_running_loop()
        until = loop.time() + READY_S
        while True:
            told = await self._tools.call("status")
            if told["ready"]:
                return
            if loop.time() > until:
                raise DemoFailed(f"Flow does not become ready: {told['what']}")
            await asyncio.sleep(0.1)

    async def _choose(self) -> str:
        """The video to finish, or a new one. Project, cast, video and scenes are there afterwards."""
        name = story.PROJECT["name"]
        projects = await self._tools.call("list_projects", archived=True)
        if name not in {one["name"] for one in projects["projects"]}:
            await self._tools.call("create_project", **story.PROJECT)
        await self._tools.call("add_character", project=name, characters=story.CAST)
        videos = (await self._view(None))["videos"]
        open_one = next((one for one in videos if len(one.get("films") or []) < 2), None)
        if open_one is not None:
            title = str(open_one["title"])
            self._say(f"There is an unfinished film here, {title!r}: going on with it.")
        else:
            title = story.VIDEO if not videos else f"{story.VIDEO} {len(videos) + 1}"
            await self._tools.call("add_video", project=name, title=title)
            if videos:
                self._say(f"The films made here before stay; this one is {title!r}, same cast.")
        if not (await self._view(title)).get("scenes"):
            await self._tools.call("add_scene", project=name, video=title, scenes=story.SCENES)
        return title

    async def _view(self, video: str | None) -> dict[str, Any]:
        arguments = {"project": story.PROJECT["name"], "detail": "full"}
        return await self._tools.call(
            "get_project", **arguments, **({"video": video} if video else {})
        )

    async def _scenes(self) -> list[Scene]:
        return list((await self._view(self._video))["scenes"])

    # ---- the stages --------------------------------------------------------------------------

    async def _rest_of_last_time(self) -> None:
        """Jobs of a run that was killed; nothing new is decided before they have ended."""
        jobs: list[int] = []
        while True:
            given = {"jobs": jobs} if jobs else {}
            lines = (await self._tools.call("wait", max_wait_s=LOOK_EVERY_S, **given))["jobs"]
            jobs = [line["job"] for line in lines]
            stuck = [line for line in lines if line["state"] == "needs_attention"]
            if stuck:
                raise _ended_badly(stuck[0])
            if lines:
                self._journey.aside("Under way from before", _shares(lines), len(lines))
            if not any(line["state"] in MOVING for line in lines):
                return

    async def _cast(self) -> None:
        cast = (await self._view(self._video))["cast"]
        missing = [one["name"] for one in cast if not _reference(one).done]
        await self._run(CAST, "generate_image", characters=missing, wanted=missing)

    async def _pictures(self) -> None:
        wanted = [
            scene["scene"]
            for scene in await self._scenes()
            if "continues" not in scene
            and not all(slot(scene, one, "image").done for one in story.ORIENTATIONS)
        ]
        await self._run(PICTURES, "generate_image", scenes=wanted, wanted=wanted)

    async def _changes(self) -> None:
        """The edit, and the scene that continues another: its picture is an edit of that one's."""
        jobs: list[int] = []
        for scene in await self._scenes():
            images = {one: slot(scene, one, "image") for one in story.ORIENTATIONS}
            if "continues" in scene and not all(one.done for one in images.values()):
                jobs += await self._start("generate_image", scenes=[scene["scene"]])
            unedited = [name for name, image in images.items() if image.take < 2]
            if scene["scene"] == story.EDITED_SCENE and unedited:
                jobs += await self._start(
                    "edit_image", scene=scene["scene"], prompt=story.EDIT, orientations=unedited
                )
        await self._wait(CHANGES, jobs)

    async def _clips(self) -> None:
        """Both orientations at once, so that they are made side by side."""
        wanted = [
            scene["scene"]
            for scene in await self._scenes()
            if not all(slot(scene, one, "video").done for one in story.ORIENTATIONS)
        ]
        await self._run(
            CLIPS, "generate_video", scenes=wanted, duration_s=story.CLIP_S, wanted=wanted
        )

    async def _upscale(self) -> None:
        scenes = await self._scenes()
        scene = next(one for one in scenes if one["scene"] == story.UPSCALED_SCENE)
        there = slot(scene, story.UPSCALED_ORIENTATION, "upscale").done
        await self._run(
            UPSCALE,
            "upscale",
            scenes=[story.UPSCALED_SCENE],
            orientations=[story.UPSCALED_ORIENTATION],
            resolution="1080p",
            wanted=not there,
        )

    async def _films(self) -> None:
        # one larger clip among many would have all others encoded to its size
        await self._run(FILMS, "merge", options={"use_upscales": False}, wanted=True)

    async def _upload(self) -> str:
        """The wide film, once; where it can be seen."""
        film = {
            "project": story.PROJECT["name"],
            "video": self._video,
            "orientation": story.ORIENTATIONS[0],
            "made_for_kids": story.MADE_FOR_KIDS,
        }
        looked = await self._tools.call("upload", **film)
        there = looked.get("published")
        if there:
            self._journey.skip(UPLOAD)
            return str(there[0]["url"])
        if not looked["ok"]:
            first = looked["remarks"][0]
            raise DemoFailed(f"upload: {first['field']}: {first['message']}")
        self._journey.enter(UPLOAD)
        job = (await self._tools.call("upload", **film, dry_run=False))["job"]["job"]
        return str((await self._wait(UPLOAD, [int(job)]))[0]["url"])

    # ---- jobs --------------------------------------------------------------------------------

    async def _run(self, stage: str, tool: str, *, wanted: object, **arguments: Any) -> None:
        """Start what is wanted and wait for it."""
        if not wanted:
            self._journey.skip(stage)
            return
        self._journey.enter(stage)
        await self._wait(stage, await self._start(tool, **arguments))

    async def _start(self, tool: str, **arguments: Any) -> list[int]:
        place = {"project": story.PROJECT["name"]}
        if "characters" not in arguments:
            place["video"] = self._video
        told = await self._tools.call(tool, **place, **arguments)
        if told.get("not_ready"):
            first = told["not_ready"][0]
            raise DemoFailed(f"{tool}: {first['what']}: {first['why']}")
        return [int(job["job"]) for job in told.get("jobs", [])]

    async def _wait(self, stage: str, jobs: list[int]) -> list[dict[str, Any]]:
        """Until they have ended well; the jobs as they then are."""
        if not jobs:
            self._journey.skip(stage)
            return []
        self._journey.enter(stage)
        while True:
            told = await self._tools.call("wait", jobs=jobs, max_wait_s=LOOK_EVERY_S)
            lines = told["jobs"]
            self._journey.at(_shares(lines), len(lines))
            if not any(line["state"] in MOVING for line in lines):
                break
        for line in lines:
            if line["state"] != "succeeded":
                raise _ended_badly(line)
        return lines


def _ended_badly(line: dict[str, Any]) -> DemoFailed:
    why = line.get("why") or "no reason was given"
    return DemoFailed(f"job {line['job']}, {line['what']}, is {line['state']}: {why}")


def _reference(member: dict[str, Any]) -> Slot:
    told = member["reference"]
    return Slot(told, None) if isinstance(told, str) else Slot(told["state"], Path(told["path"]))


def _shares(lines: list[dict[str, Any]]) -> float:
    """How many jobs are done, and parts of jobs."""
    return sum(_share(line) for line in lines)


def _share(line: dict[str, Any]) -> float:
    if line["state"] == "succeeded":
        return 1.0
    told = str(line.get("progress") or "0%")
    return min(0.9, float(told.partition("%")[0]) / 100)  # "97%, 5.6 of 5.6 MB sent"
