"""The skills that travel in the package, copied to where an agent looks for them."""

from __future__ import annotations

from pathlib import Path

from flowkit_mcp.bundled import bundled, put
from flowkit_mcp.errors import Conflict

_WHERE = """\
To use them with an agent, name the folder where it looks for skills:
  flowkit-mcp skills ~/.claude/skills      Claude Code, everywhere (.claude/skills: in one project)
  flowkit-mcp skills ~/.agents/skills      Codex and others
  flowkit-mcp skills .cursor/skills        Cursor, in one project
The plugin for Claude Code brings them by itself, and the server offers them as resources (skill://…)."""


def names() -> list[str]:
    """Of all skills, in order."""
    return sorted(path.parent.name for path in bundled("skills").glob("*/SKILL.md"))


def listed() -> str:
    """What there is and how to get it to an agent."""
    return "\n".join([*names(), "", _WHERE])


def install(folder: Path) -> str:
    """Copy all of them into `folder`; earlier copies are replaced, everything else is left alone.

    Raises:
        Conflict: something that is not ours has the name of a skill, or the folder cannot be written.
    """
    folder = folder.expanduser().absolute()
    for name in names():
        if (folder / name).exists() and not _ours(folder / name):
            raise Conflict(
                f"{folder / name} holds something else",
                hint="Move it away, or name another folder.",
            )
    for name in names():
        put(bundled("skills") / name, folder / name)
    return f"{folder}\n\n{len(names())} skills: {', '.join(names())}. Start your agent anew to see them."


def _ours(folder: Path) -> bool:
    try:
        text = (folder / "SKILL.md").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return f"\nname: {folder.name}\n" in text
