"""Prompts that start a skill, for people who pick from a menu; with its text, for hosts that know no skills."""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import EmbeddedResource, TextResourceContents
from pydantic import Field

from flowkit_mcp.server.context import Backstage
from flowkit_mcp.server.skills import MARKDOWN, Shelf

Project = Annotated[str, Field(description="Name of the production; the newest if left out")]


def install(mcp: MCPServer[Backstage], shelf: Shelf) -> None:
    """Offer all prompts."""

    def starting(skill: str, wish: str) -> list[UserMessage]:
        """The person's wish, and the skill that says how."""
        found = shelf.skills[skill]
        how = (
            f"Work by the skill {skill} of the FlowKit server, which follows. What it names besides, other skills and "
            "references, are resources of that server (skill://…): read them where it says so, if you can read "
            "resources; if not, the server's instructions and the tools' answers say what comes next."
        )
        held = TextResourceContents(uri=found.uri, mime_type=MARKDOWN, text=found.text)
        return [
            UserMessage(f"{wish}\n\n{how}"),
            UserMessage(EmbeddedResource(type="resource", resource=held)),
        ]

    @mcp.prompt("make-film", title="Make a film")
    def make_film(
        story: Annotated[str, Field(description="Idea, brief, script, or a few words")],
        length: Annotated[str, Field(description="E.g. 30 seconds")] = "",
        orientation: Annotated[str, Field(description="upright, wide or both")] = "",
    ) -> list[UserMessage]:
        """From an idea to a finished film, with the person asked at each gate."""
        wish = f"Make a film with FlowKit: {story}"
        wish += f"\nLength: {length}." if length else ""
        wish += f"\nOrientation: {orientation}." if orientation else ""
        return starting("flowkit-produce", wish)

    @mcp.prompt("continue-film", title="Continue a film")
    def continue_film(project: Project = "", wish: str = "") -> list[UserMessage]:
        """Find out how far a film is and go on from there."""
        told = f"Carry on with {_film(project)}. See how far it is before anything else."
        return starting("flowkit-produce", f"{told} {wish}".strip())

    @mcp.prompt("review-film", title="Review a film")
    def review_film(project: Project = "", video: str = "") -> list[UserMessage]:
        """Look at pictures and clips, choose takes, and name the cheapest remedy for each flaw."""
        which = f" (video {video!r})" if video else ""
        return starting("flowkit-review", f"Review {_film(project)}{which}.")

    @mcp.prompt("publish-film", title="Publish a film")
    def publish_film(project: Project = "", video: str = "") -> list[UserMessage]:
        """Title, thumbnail, checks, and a private upload to YouTube."""
        which = f" (video {video!r})" if video else ""
        return starting("flowkit-publish", f"Prepare {_film(project)}{which} for YouTube.")

    @mcp.prompt("fix", title="Find out what is wrong")
    def fix(
        problem: Annotated[str, Field(description="What was seen; may be left out")] = "",
    ) -> list[UserMessage]:
        """Why nothing moves, what an error means, and whether it cost anything."""
        said = f": {problem}" if problem else "."
        return starting("flowkit-doctor", f"Something is wrong with FlowKit{said}")


def _film(project: str) -> str:
    return f"the FlowKit production {project!r}" if project else "my newest FlowKit production"
