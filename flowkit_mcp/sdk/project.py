"""Projects and their videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.cut import Cut
from flowkit_mcp.domain.models import (
    ChainType,
    EntityType,
    Orientation,
    ProjectStatus,
    Render,
    Slot,
    Stage,
)
from flowkit_mcp.domain.models import Project as ProjectRow
from flowkit_mcp.domain.models import Video as VideoRow
from flowkit_mcp.domain.money import Ledger
from flowkit_mcp.domain.publication import Publication
from flowkit_mcp.domain.requests import Merge
from flowkit_mcp.errors import InvalidSetting, NotReady
from flowkit_mcp.media.files import slug
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.cut import complete, marks
from flowkit_mcp.sdk.jobs import GenerationResult, Job, Planned
from flowkit_mcp.sdk.plan_check import PlanCheck, PlanWishes, check_plan
from flowkit_mcp.sdk.publication import PublishResult, execute_publish, publish, published
from flowkit_mcp.sdk.publish_plan import UploadPlan, Wishes, plan_publish
from flowkit_mcp.sdk.rows import check_names, one_line
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.store import catalog, money, takes

PROJECT_CHANGEABLE = {"name", "description", "story", "language", "style", "status"}
VIDEO_CHANGEABLE = {"title", "description", "orientation", "privacy", "tags"}


class Project:
    """One production with its cast, style and language."""

    def __init__(self, kit: FlowKit, row: ProjectRow) -> None:
        self.kit = kit
        self.row = row

    def __repr__(self) -> str:
        return f"Project({self.row.name!r})"

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def name(self) -> str:
        return self.row.name

    @classmethod
    async def create(
        cls,
        kit: FlowKit,
        name: str,
        *,
        description: str = "",
        story: str = "",
        language: str = "en",
        style: str = "",
    ) -> Project:
        """A new, empty project. Raises InvalidSetting."""
        values = {
            "name": one_line("name", name, 120),
            "description": description,
            "story": story,
            "language": language,
            "style": style,
        }
        async with kit.db.transaction() as tx:
            row = await catalog.add_project(
                tx, values, id=kit.clock.new_id(), slug=slug(name), now=kit.clock.now()
            )
        return cls(kit, row)

    @classmethod
    async def get(cls, kit: FlowKit, handle: str) -> Project:
        """By name, slug or id. Raises NotFound, Conflict."""
        return cls(kit, await catalog.project(kit.db, handle))

    @classmethod
    async def list(cls, kit: FlowKit, *, archived: bool = False) -> list[Project]:
        """Newest first."""
        return [cls(kit, row) for row in await catalog.projects(kit.db, archived=archived)]

    async def update(self, **values: Any) -> Project:
        """Change name, description, story, language, style or status."""
        check_names("project", values, PROJECT_CHANGEABLE)
        if "name" in values:
            values["name"] = one_line("name", values["name"], 120)
        if "status" in values:
            values["status"] = ProjectStatus(values["status"])
        async with self.kit.db.transaction() as tx:
            await catalog.change(tx, "project", self.id, values, self.kit.clock.now())
            self.row = await catalog.project(tx, self.id)
        return self

    async def add_character(
        self,
        character: Character | str,
        *,
        entity_type: EntityType = EntityType.CHARACTER,
        **values: Any,
    ) -> Character:
        """Cast somebody: a character there is, or a new one by name."""
        if not isinstance(character, Character):
            character = await Character.create(
                self.kit, character, entity_type=entity_type, **values
            )
        async with self.kit.db.transaction() as tx:
            await catalog.link_character(tx, self.id, character.id)
        return character

    async def get_characters(self) -> list[Character]:
        """The cast."""
        return [Character(self.kit, row) for row in await catalog.characters(self.kit.db, self.id)]

    async def remove_character(self, handle: str) -> Character:
        """Take somebody out of the cast and the scenes; the character and its takes stay."""
        row = await catalog.character(self.kit.db, handle)
        async with self.kit.db.transaction() as tx:
            if not await catalog.unlink_character(tx, self.id, row.id):
                raise InvalidSetting(f"{row.name!r} is not in the cast of {self.name!r}")
        return Character(self.kit, row)

    async def add_video(
        self, title: str, *, description: str = "", orientation: Orientation | None = None
    ) -> Video:
        """A new video; `orientation` None makes both."""
        values = {
            "project_id": self.id,
            "title": one_line("title", title, 120),
            "description": description,
            "orientation": orientation,
        }
        async with self.kit.db.transaction() as tx:
            row = await catalog.add_video(
                tx, values, id=self.kit.clock.new_id(), slug=slug(title), now=self.kit.clock.now()
            )
        return Video(self.kit, row, self.row)

    async def get_videos(self) -> list[Video]:
        """In order."""
        return [
            Video(self.kit, row, self.row) for row in await catalog.videos(self.kit.db, self.id)
        ]


@dataclass(frozen=True)
class SceneDraft:
    """What a new scene needs. `continues`: number or id of the scene it goes on from."""

    prompt: str
    image_prompt: str | None = None
    video_prompt: str | None = None
    narration: str | None = None
    characters: Sequence[str] = field(default_factory=tuple)
    continues: str | int | None = None
    chain_type: ChainType | None = None


class Video:
    """One deliverable made of scenes."""

    def __init__(self, kit: FlowKit, row: VideoRow, project: ProjectRow) -> None:
        self.kit = kit
        self.row = row
        self.project = project

    def __repr__(self) -> str:
        return f"Video({self.row.title!r})"

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def title(self) -> str:
        return self.row.title

    @classmethod
    async def get(cls, kit: FlowKit, handle: str, project: str | None = None) -> Video:
        """By id, slug or title. Raises NotFound, Conflict."""
        within = None if project is None else (await catalog.project(kit.db, project)).id
        row = await catalog.video(kit.db, handle, within)
        return cls(kit, row, await catalog.project(kit.db, row.project_id))

    async def update(self, **values: Any) -> Video:
        """Change title, description, orientation, privacy or tags."""
        check_names("video", values, VIDEO_CHANGEABLE)
        if "title" in values:
            values["title"] = one_line("title", values["title"], 120)
        async with self.kit.db.transaction() as tx:
            await catalog.change(tx, "video", self.id, values, self.kit.clock.now())
            self.row = await catalog.video(tx, self.id)
        return self

    async def remove(self) -> None:
        """Take the video out of its project; what was made for it stays in the library."""
        now = self.kit.clock.now()
        async with self.kit.db.transaction() as tx:
            await catalog.change(tx, "video", self.id, {"removed_at": now}, now)

    # ---- scenes ------------------------------------------------------------------------------

    async def add_scene(self, prompt: str, **values: Any) -> Scene:
        """One scene at the end; values as `SceneDraft`."""
        return (await self.add_scenes([SceneDraft(prompt, **values)]))[0]

    async def add_scenes(
        self, drafts: Sequence[SceneDraft], *, after: str | int | None = None
    ) -> list[Scene]:
        """Several scenes in order, all or none. `continues` may name a scene added in the same call.

        Raises:
            InvalidSetting, NotFound: naming the scene and the field; nothing was added.
        """
        kit, now = self.kit, self.kit.clock.now()
        added: list[str] = []
        async with kit.db.transaction() as tx:
            place = (
                None if after in (None, 0) else await catalog.scene_by_handle(tx, after, self.id)
            )
            first = after == 0
            for index, draft in enumerate(drafts, start=1):
                if not draft.prompt.strip():
                    raise InvalidSetting(f"scenes[{index}].prompt must not be empty")
                parent = None
                if draft.continues is not None:
                    parent = await catalog.scene_by_handle(tx, draft.continues, self.id)
                chain = draft.chain_type or (ChainType.CONTINUATION if parent else ChainType.ROOT)
                if (chain is ChainType.ROOT) != (parent is None):
                    raise InvalidSetting(
                        f"scenes[{index}]: a {chain} scene "
                        + ("continues nothing" if parent else "needs continues=<scene>"),
                        hint="ROOT scenes stand alone; CONTINUATION and INSERT name a scene.",
                    )
                ids = [(await catalog.character(tx, handle)).id for handle in draft.characters]
                place = await catalog.add_scene(
                    tx,
                    {
                        "video_id": self.id,
                        "prompt": draft.prompt.strip(),
                        "image_prompt": draft.image_prompt,
                        "video_prompt": draft.video_prompt,
                        "narration": draft.narration,
                        "chain_type": chain,
                        "parent_scene_id": parent.id if parent else None,
                    },
                    id=kit.clock.new_id(),
                    now=now,
                    after=place,
                    first=first,
                )
                first = False
                for id in ids:
                    await catalog.link_character(tx, self.project.id, id)
                await catalog.set_scene_cast(tx, place.id, ids)
                added.append(place.id)
        return [await Scene.get(kit, id) for id in added]

    async def get_scenes(self) -> list[Scene]:
        """In order, numbered from 1."""
        rows = await catalog.scenes(self.kit.db, self.id)
        return [Scene(self.kit, row, self.row, self.project) for row in rows]

    async def scene(self, handle: str | int) -> Scene:
        """By number or id. Raises NotFound."""
        row = await catalog.scene_by_handle(self.kit.db, handle, self.id)
        return Scene(self.kit, row, self.row, self.project)

    async def move_scene(self, handle: str | int, number: int) -> Scene:
        """Give a scene another place; the others close up."""
        async with self.kit.db.transaction() as tx:
            row = await catalog.scene_by_handle(tx, handle, self.id)
            row = await catalog.move_scene(tx, row, number)
        return Scene(self.kit, row, self.row, self.project)

    async def remove_scene(self, handle: str | int) -> None:
        """Take a scene out; its paid media stay in the library."""
        async with self.kit.db.transaction() as tx:
            row = await catalog.scene_by_handle(tx, handle, self.id)
            await catalog.remove_scene(tx, row, self.kit.clock.now())

    async def slots(self) -> list[Slot]:
        """All slots of all scenes."""
        return await takes.slots_of_video(self.kit.db, self.id)

    # ---- money -------------------------------------------------------------------------------

    async def check_plan(self, wishes: PlanWishes | None = None) -> PlanCheck:
        """What all that is missing would cost, and what is wrong with the plan. Free. Raises NotConnected."""
        return await check_plan(self.kit, self.id, wishes)

    async def ledger(self) -> Ledger:
        """What this video has cost so far, scene by scene."""
        return await money.ledger(self.kit.db, self.project.id, self.id)

    # ---- the film ----------------------------------------------------------------------------

    async def plan_merge(
        self, orientation: Orientation, *, cut: Cut | None = None, new_take: bool = False
    ) -> Planned:
        """The clips in use, in order; of a scene that has been made larger the larger one.

        `cut` says how they are joined (`Cut()`: plainly); clips are numbered in it as the scenes are. What the scenes
        are trimmed to counts where `cut` does not say otherwise.

        Raises:
            NotReady: scenes without a clip, or with a stale one, are named.
            InvalidSetting: a file of the cut is missing, or a number is no clip's.
        """
        slots = {
            (slot.scene_id, slot.stage): slot
            for slot in await self.slots()
            if slot.orientation is orientation
        }
        scenes = await self.get_scenes()
        if not scenes:
            raise NotReady(f"{self.title!r} has no scenes", hint="Call add_scene first.")
        clips: list[str] = []
        missing: list[int] = []
        stale: list[int] = []
        for scene in scenes:
            larger = slots[scene.id, Stage.UPSCALE]
            upscaled = larger.filled and (cut is None or cut.use_upscales)
            slot = larger if upscaled else slots[scene.id, Stage.VIDEO]
            if slot.filled and slot.take_id is not None:
                clips.append(slot.take_id)
            else:
                (stale if slot.stale else missing).append(scene.number)
        if missing or stale:
            raise _no_film_yet(orientation, missing, stale)
        renders = await takes.renders(self.kit.db, self.id)
        full = await complete(self.kit, cut or Cut(), scenes, orientation)
        request = Merge(
            cut=full,
            file_marks=marks(full),
            project_id=self.project.id,
            video_id=self.id,
            orientation=orientation,
            clip_take_ids=tuple(clips),
            take_number=len(renders) + 1 if new_take else 0,
        )
        return Planned(request, 0, f"{orientation.value.lower()} film of {len(clips)} clips")

    async def merge(
        self, orientation: Orientation, *, cut: Cut | None = None, new_take: bool = False
    ) -> Job:
        """Put the film into the queue; free. `new_take` joins again what is joined already."""
        planned = await self.plan_merge(orientation, cut=cut, new_take=new_take)
        return await Job.enqueue(self.kit, planned)

    async def execute_merge(
        self, orientation: Orientation, *, cut: Cut | None = None, new_take: bool = False
    ) -> GenerationResult:
        """Join the film now."""
        planned = await self.plan_merge(orientation, cut=cut, new_take=new_take)
        return await Job.execute(self.kit, planned)

    async def renders(self) -> list[Render]:
        """Films made so far, newest first."""
        return await takes.renders(self.kit.db, self.id)

    # ---- on YouTube --------------------------------------------------------------------------

    async def plan_publish(self, wishes: Wishes, render: Render | None = None) -> UploadPlan:
        """What would be sent of the newest film (or this one), and all that is wrong with it. Raises NotReady."""
        return await plan_publish(self.kit, self.row, wishes, render)

    async def publish(self, wishes: Wishes, render: Render | None = None) -> Job:
        """Put an upload into the queue. Nobody is asked: look at the plan first. Raises InvalidSetting, Conflict."""
        return await publish(self.kit, await self.plan_publish(wishes, render))

    async def execute_publish(self, wishes: Wishes, render: Render | None = None) -> PublishResult:
        """Upload now."""
        return await execute_publish(self.kit, await self.plan_publish(wishes, render))

    async def publications(self) -> list[Publication]:
        """Where its films are on YouTube, newest first."""
        return await published(self.kit, self.id)


def _no_film_yet(orientation: Orientation, missing: list[int], stale: list[int]) -> NotReady:
    said: list[str] = []
    if missing:
        said.append(f"no {orientation} clip yet for scene {', '.join(map(str, missing))}")
    if stale:
        which = ", ".join(map(str, stale))
        said.append(f"the {orientation} clip of scene {which} shows a picture no longer in use")
    back = ", or select_take the picture that it shows" if stale else ""
    return NotReady("; ".join(said), hint=f"Call generate_video for these scenes{back}, then wait.")
