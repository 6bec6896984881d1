"""What is done to projects, tiles, media and characters once they exist; the same in both lanes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from flowkit_mcp.simulator.faults import Grpc, Refusal
from flowkit_mcp.simulator.ids import random_id
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Character, Project, Scene, Workflow


class Shelf:
    """Changes are saved before a method returns. Unknown fields change nothing."""

    def __init__(self, service: FlowService) -> None:
        self._service = service

    # Projects

    def delete_project(self, account: str, project_id: object) -> None:
        """For good: its media are gone with it.

        Raises:
            Refusal: NOT_FOUND.
        """
        project = self._service.project(account, project_id)
        project.deleted = True
        media = self._service.state.media.values()
        self.delete_media(account, [m.id for m in media if m.project == project.id], project.id)

    def rename_project(self, project: Project, title: str) -> None:
        project.title = title
        self._service.save()

    # Tiles

    def tile(self, account: str, workflow_id: object) -> Workflow:
        """
        Raises:
            Refusal: NOT_FOUND.
        """
        tiles = self._service.state.workflows
        tile = tiles.get(workflow_id) if isinstance(workflow_id, str) else None
        if tile is None:
            raise Refusal(Grpc.NOT_FOUND)
        self._service.project(account, tile.project)
        return tile

    def update_tile(self, account: str, tile: Workflow, change: dict[str, Any]) -> None:
        """`title`, `archived`, `favorited`, `primary`, `collection`; others are ignored.

        Raises:
            Refusal: INVALID_ARGUMENT for a title that is no text or a primary of another tile.
        """
        if "title" in change:
            if not isinstance(change["title"], str):
                raise Refusal(Grpc.INVALID_ARGUMENT)
            tile.title = change["title"]
        for name in ("archived", "favorited"):
            if name in change:
                setattr(tile, name, change[name] is True)
        if "primary" in change:
            media = self._service.media(account, change["primary"])
            if media.workflow != tile.id:
                raise Refusal(Grpc.INVALID_ARGUMENT)
            tile.primary = media.id
        if "collection" in change:
            tile.collection = change["collection"] or None
        tile.updated_at = self._service.clock.now()
        self._service.save()

    # Scenes

    def scenes(self, project: Project) -> list[Scene]:
        return [s for s in self._service.state.scenes.values() if s.project == project.id]

    def create_scene(
        self, account: str, project_id: object, workflows: Iterable[object], aspect: int | None
    ) -> Scene:
        """Tiles of one project in a row; without `aspect` in the shape of the first.

        Raises:
            Refusal: NOT_FOUND for the project or a tile, INVALID_ARGUMENT without tiles.
        """
        project = self._service.project(account, project_id)
        tiles = [self.tile(account, one) for one in workflows]
        if not tiles or any(tile.project != project.id for tile in tiles):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        now = self._service.clock.now()
        first = self._service.state.media[tiles[0].primary]
        scene = Scene(
            id=random_id(),
            project=project.id,
            title=tiles[0].title,
            aspect=aspect or first.aspect,
            workflows=[tile.id for tile in tiles],
            created_at=now,
            updated_at=now,
        )
        self._service.state.scenes[scene.id] = scene
        self._service.save()
        return scene

    # Media

    def delete_media(
        self, account: str, ids: Iterable[object], project_id: str | None = None
    ) -> None:
        """For good; ids that are unknown or of another project are ignored."""
        state = self._service.state
        for media_id in ids:
            media = state.media.get(media_id) if isinstance(media_id, str) else None
            if media is None or project_id not in (None, media.project):
                continue
            if state.projects[media.project].account != account:
                continue
            media.deleted = True
            for path in (self._service.files.path(media), self._service.files.poster(media)):
                path.unlink(missing_ok=True)
        self._service.save()

    # Characters

    def characters(self, project: Project) -> list[Character]:
        kept = self._service.state.characters.values()
        return [c for c in kept if c.project == project.id and not c.deleted]

    def create_character(
        self, account: str, project_id: object, name: str, collection: str | None
    ) -> Character:
        """
        Raises:
            Refusal: NOT_FOUND: no such project.
        """
        now = self._service.clock.now()
        character = Character(
            id=random_id(),
            project=self._service.project(account, project_id).id,
            collection=collection,
            name=name,
            created_at=now,
            updated_at=now,
        )
        self._service.state.characters[character.id] = character
        self._service.save()
        return character

    def character(self, account: str, entity_id: object) -> Character:
        """
        Raises:
            Refusal: NOT_FOUND.
        """
        kept = self._service.state.characters
        found = kept.get(entity_id) if isinstance(entity_id, str) else None
        if found is None or found.deleted:
            raise Refusal(Grpc.NOT_FOUND)
        self._service.project(account, found.project)
        return found

    def update_character(self, character: Character, change: dict[str, Any]) -> None:
        """`name`, `notes`, `voices`, `favorited`, `archived`, `collection`; others are ignored."""
        for name in change.keys() & {"name", "notes", "voices", "collection"}:
            setattr(character, name, change[name])
        for name in change.keys() & {"favorited", "archived"}:
            setattr(character, name, change[name] is True)
        character.updated_at = self._service.clock.now()
        self._service.save()

    def add_portrait(self, account: str, entity_id: object, media_id: str) -> None:
        """
        Raises:
            Refusal: NOT_FOUND: no such character or picture.
        """
        character = self.character(account, entity_id)
        media = self._service.media(account, media_id)
        character.portraits.append(media.workflow)
        character.primary = media.id
        self._service.save()

    def delete_characters(self, account: str, ids: Collection[object], project_id: str) -> None:
        """For good; unknown ids are ignored."""
        for entity_id in ids:
            try:
                character = self.character(account, entity_id)
            except Refusal:
                continue
            if character.project == project_id:
                character.deleted = True
        self._service.save()
