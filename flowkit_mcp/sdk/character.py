"""Characters: anything that must look the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Character as CharacterRow
from flowkit_mcp.domain.models import EntityType, JobKind, Slot, Stage, Take
from flowkit_mcp.domain.prompts import reference_prompt
from flowkit_mcp.domain.requests import GenerateReference
from flowkit_mcp.errors import InvalidSetting, NotFound, NotReady
from flowkit_mcp.media.files import slug
from flowkit_mcp.sdk.jobs import GenerationResult, Job, Planned
from flowkit_mcp.sdk.options import EditOptions, ReferenceOptions, choose_model
from flowkit_mcp.sdk.rows import check_names, keep_own_picture, one_line
from flowkit_mcp.store import catalog, takes

CHANGEABLE = {"name", "entity_type", "description", "image_prompt", "voice_description"}


class Character:
    """A character, location, creature, … that stands alone and can be cast in many projects."""

    def __init__(self, kit: FlowKit, row: CharacterRow) -> None:
        self.kit = kit
        self.row = row

    def __repr__(self) -> str:
        return f"Character({self.row.name!r})"

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
        entity_type: EntityType = EntityType.CHARACTER,
        description: str = "",
        image_prompt: str | None = None,
        voice_description: str | None = None,
    ) -> Character:
        """A new character that no project has cast yet. Raises InvalidSetting."""
        values = {
            "name": one_line("name", name, 80),
            "entity_type": entity_type,
            "description": description.strip(),
            "image_prompt": image_prompt,
            "voice_description": _voice(voice_description),
        }
        async with kit.db.transaction() as tx:
            row = await catalog.add_character(
                tx, values, id=kit.clock.new_id(), slug=slug(name), now=kit.clock.now()
            )
        return cls(kit, row)

    @classmethod
    async def get(cls, kit: FlowKit, handle: str) -> Character:
        """By name, slug or id. Raises NotFound, Conflict."""
        return cls(kit, await catalog.character(kit.db, handle))

    @classmethod
    async def list(cls, kit: FlowKit) -> list[Character]:
        """Everybody, by name."""
        return [cls(kit, row) for row in await catalog.characters(kit.db)]

    async def update(self, **values: Any) -> Character:
        """Change name, entity_type, description, image_prompt or voice_description."""
        check_names("character", values, CHANGEABLE)
        if "name" in values:
            values["name"] = one_line("name", values["name"], 80)
        if "voice_description" in values:
            values["voice_description"] = _voice(values["voice_description"])
        async with self.kit.db.transaction() as tx:
            await catalog.change(tx, "character", self.id, values, self.kit.clock.now())
            self.row = await catalog.character(tx, self.id)
        return self

    async def slot(self) -> Slot:
        """The reference slot."""
        return (await takes.slots(self.kit.db, character_id=self.id))[0]

    async def takes(self) -> list[Take]:
        """Every reference image so far, by number."""
        return await takes.takes(self.kit.db, character_id=self.id)

    async def select_take(self, number: int) -> Take:
        """Put another reference image into use."""
        for take in await self.takes():
            if take.number == number:
                async with self.kit.db.transaction() as tx:
                    await takes.select_take(tx, take)
                return await takes.take(self.kit.db, take.id)
        raise NotFound(f"{self.name!r} has no reference take {number}")

    async def set_reference(self, file: Path) -> Take:
        """Use a picture of your own as reference image. Raises InvalidSetting."""
        place: takes.Place = {
            "scene_id": None,
            "character_id": self.id,
            "orientation": self.row.entity_type.reference_orientation,
            "stage": Stage.REFERENCE,
        }

        def target(number: int) -> Path:
            return self.kit.media.reference_path(
                character=self.row.slug, number=number, suffix=file.suffix.lower()
            )

        return await keep_own_picture(self.kit, file, place, target)

    # ---- making ------------------------------------------------------------------------------

    async def plan_image(
        self,
        project_id: str,
        *,
        model: str | None = None,
        style: str = "",
        new_take: bool = False,
        edit_prompt: str | None = None,
        seed: int | None = None,
    ) -> Planned:
        """Check and price a reference image; `edit_prompt` edits the one in use.

        Raises:
            NotReady: there is nothing to edit yet. NotConnected: no catalogue. InvalidSetting: the model.
        """
        slot = await self.slot()
        if edit_prompt is not None and not slot.filled:
            raise NotReady(
                f"{self.name!r} has no reference image to edit",
                hint=f"Call generate_image with characters=[{self.name!r}] first.",
            )
        orientation = self.row.entity_type.reference_orientation
        chosen = await choose_model(self.kit, "image", orientation, model=model)
        again = new_take or edit_prompt is not None
        kind = JobKind.GENERATE_CHARACTER_IMAGE
        if edit_prompt is not None:
            kind = JobKind.EDIT_CHARACTER_IMAGE
        elif again and slot.takes:
            kind = JobKind.REGENERATE_CHARACTER_IMAGE
        request = GenerateReference(
            kind=kind,
            project_id=project_id,
            character_id=self.id,
            orientation=orientation,
            prompt=edit_prompt or reference_prompt(self.row, style),
            model=chosen.key,
            seed=seed,
            base_take_id=slot.take_id if edit_prompt is not None else None,
            take_number=slot.takes + 1 if again else 0,
        )
        return Planned(request, chosen.credits or 0, f"reference image of {self.name}")

    async def generate_image(self, project_id: str, **options: Unpack[ReferenceOptions]) -> Job:
        """Put a reference image into the queue; raises as `plan_image`."""
        return await Job.enqueue(self.kit, await self.plan_image(project_id, **options))

    async def execute_generate_image(
        self, project_id: str, **options: Unpack[ReferenceOptions]
    ) -> GenerationResult:
        """Make the reference image now."""
        return await Job.execute(self.kit, await self.plan_image(project_id, **options))

    async def edit_image(self, project_id: str, prompt: str, **options: Unpack[EditOptions]) -> Job:
        """Put an edit of the reference image into the queue: a new take. `prompt` says what changes."""
        planned = await self.plan_image(project_id, edit_prompt=prompt, **options)
        return await Job.enqueue(self.kit, planned)

    async def execute_edit_image(
        self, project_id: str, prompt: str, **options: Unpack[EditOptions]
    ) -> GenerationResult:
        """Edit the reference image now."""
        planned = await self.plan_image(project_id, edit_prompt=prompt, **options)
        return await Job.execute(self.kit, planned)


def _voice(text: str | None) -> str | None:
    if text and len(text.split()) > 40:
        raise InvalidSetting(
            f"voice_description has {len(text.split())} words", hint="Use at most about 30 words."
        )
    return text or None
