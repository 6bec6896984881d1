"""The cast: characters, places, things that must look the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import EntityType, Orientation, Slot
from flowkit_mcp.errors import Conflict, InvalidSetting, NotFound
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.overview import Made, picture
from flowkit_mcp.sdk.project import Project
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import (
    InProject,
    InVideo,
    OneOrientation,
    OneOrMore,
    SceneName,
    find_character,
    find_scene,
)
from flowkit_mcp.server.results import Result, reply
from flowkit_mcp.server.schemas import ADDS, OVERWRITES, Strict, tool
from flowkit_mcp.server.words import size_of, slot_state

Kind = Annotated[EntityType, Field(description="location: drawn wide, else tall")]
Looks = Annotated[str, Field(description="Appearance: face, build, clothes, colours, materials")]
ImagePrompt = Annotated[
    str | None, Field(description="For the reference image, instead of description")
]
Voice = Annotated[str | None, Field(description="How it speaks, at most 30 words")]


class NewCharacter(Strict):
    name: str
    entity_type: Kind = EntityType.CHARACTER
    description: Looks = ""
    image_prompt: ImagePrompt = None
    voice_description: Voice = None

    @property
    def bare(self) -> bool:
        """Only a name: somebody there is already is meant, or nothing is known yet."""
        return not (self.description or self.image_prompt or self.voice_description)


class CastLine(Result):
    name: str
    id: str
    entity_type: str
    is_new: bool | None = None
    reference: str


class Cast(Result):
    characters: list[CastLine]
    next: str


class Uploaded(Result):
    what: str
    take: int | None
    path: str
    size: str | None
    next: str


async def add_character(
    ctx: Ctx,
    project: str,
    characters: Annotated[list[NewCharacter], OneOrMore, Field(min_length=1, max_length=40)],
) -> CallToolResult:
    """Cast characters, locations, creatures, things or groups: whatever must look the same in several scenes.
    Somebody from another project is cast by name alone. Next: generate_image or upload_image for reference images.
    """
    kit = kit_of(ctx)
    home = await Project.get(kit, project)
    known = {one.name.casefold(): one for one in await Character.list(kit)}
    known |= {one.name.casefold(): one for one in await home.get_characters()}
    for one in characters:  # check all before the first is added
        there = known.get(one.name.strip().casefold())
        if there is not None and not one.bare and not _same(one, there):
            raise Conflict(
                f"there is a character {there.name!r} already, and it is described otherwise",
                hint="Pass the name alone to cast that one, change it with update_character, or choose "
                "another name. Nothing was added.",
            )
    lines: list[CastLine] = []
    for one in characters:
        there = known.get(one.name.strip().casefold())
        member = await home.add_character(there if there is not None else await _create(kit, one))
        known[member.name.casefold()] = member
        lines.append(_line(member, await member.slot(), is_new=there is None))
    missing = [line.name for line in lines if line.reference == "empty"]
    step = "Call add_scene and name them in characters."
    if missing:
        step = f"Call generate_image(project={home.name!r}, characters={missing!r})."
    return reply(Cast(characters=lines, next=step))


async def update_character(
    ctx: Ctx,
    character: str,
    project: InProject = None,
    name: str | None = None,
    entity_type: EntityType | None = None,
    description: str | None = None,
    image_prompt: str | None = None,
    voice_description: str | None = None,
) -> CallToolResult:
    """Change somebody of the cast (fields as in add_character), in every project. Pictures stay as they are until
    generate_image(new_take=true).
    """
    kit = kit_of(ctx)
    home = await Project.get(kit, project) if project else None
    found = await find_character(kit, character, home)
    values = {
        "name": name,
        "entity_type": entity_type,
        "description": description,
        "image_prompt": image_prompt,
        "voice_description": voice_description,
    }
    given = {key: value for key, value in values.items() if value is not None}
    if not given:
        raise InvalidSetting("nothing to change is given", hint="Pass at least one field to set.")
    await found.update(**given)
    step = f"generate_image(characters=[{found.name!r}], new_take=true) draws the new looks."
    return reply(Cast(characters=[_line(found, await found.slot())], next=step))


async def upload_image(
    ctx: Ctx,
    path: Annotated[str, Field(description="Full path; JPEG, PNG or WebP")],
    character: Annotated[str | None, Field(description="For its reference image")] = None,
    scene: Annotated[SceneName | None, Field(description="For its first frame")] = None,
    video: InVideo = None,
    project: InProject = None,
    orientation: OneOrientation = None,
) -> CallToolResult:
    """Use a picture of one's own as a character's reference image or a scene's first frame, as a new take.
    Free.
    """
    kit = kit_of(ctx)
    if (character is None) == (scene is None):
        raise InvalidSetting("pass either character or scene", hint="One picture, one place.")
    file = Path(path).expanduser()
    if not file.is_absolute():
        raise NotFound(f"{path!r} is not a full path", hint="Pass the full path of the file.")
    if character is not None:
        home = await Project.get(kit, project) if project else None
        member = await find_character(kit, character, home)
        kept = await picture(kit, await member.set_reference(file))
        return _uploaded(f"reference image of {member.name}", kept, "It is in use now.")
    assert scene is not None
    place = await find_scene(kit, scene, video, project)
    chosen = orientation or place.video.orientation
    if chosen is None:
        raise InvalidSetting("the video has both orientations", hint="Pass orientation.")
    kept = await picture(kit, await place.set_image(file, Orientation(chosen)))
    step = "It is in use now; clips made from another picture count as stale. Next: generate_video."
    return _uploaded(f"scene {place.number} {chosen} image", kept, step)


async def _create(kit: FlowKit, one: NewCharacter) -> Character:
    return await Character.create(kit, **one.model_dump())


def _same(one: NewCharacter, there: Character) -> bool:
    """A repeated call: nothing given differs from what is there."""
    row = there.row
    return (
        one.description.strip() in ("", row.description)
        and one.image_prompt in (None, row.image_prompt)
        and one.voice_description in (None, row.voice_description)
    )


def _line(character: Character, slot: Slot, is_new: bool | None = None) -> CastLine:
    return CastLine(
        name=character.name,
        id=character.id,
        entity_type=character.row.entity_type.value,
        is_new=is_new,
        reference=slot_state(slot),
    )


def _uploaded(what: str, kept: Made, step: str) -> CallToolResult:
    shown = Uploaded(
        what=what, take=kept.take, path=str(kept.path), size=size_of(kept.asset), next=step
    )
    return reply(shown, [(what, kept.path)])


TOOLS = (
    tool(add_character, "Add characters", ADDS),
    tool(update_character, "Change a character", OVERWRITES),
    tool(upload_image, "Upload an image", ADDS),
)
