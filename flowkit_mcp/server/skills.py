"""Skills over MCP (`io.modelcontextprotocol/skills`, SEP-2640): the folder `skills/`, byte for byte.

Every file of a skill is a resource `skill://<skill>/<file>`, listed and read like any other; the extension's two
methods add what a host needs to load a skill: its front matter and the digest of each file. Nothing is read before it
is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp import MCPError
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Extension, MethodBinding
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.types import INVALID_PARAMS, PaginatedRequestParams, RequestParams, Resource

from flowkit_mcp.bundled import bundled
from flowkit_mcp.errors import BugError

SKILLS = "io.modelcontextprotocol/skills"
TEMPLATE = "skill://{skill}/{+path}"
MARKDOWN = "text/markdown"
#: They change with the program only.
TTL_MS = 300_000


class SkillParams(RequestParams):
    uri: str


@dataclass(frozen=True)
class Skill:
    """One skill: its front matter as values, and its files by their path in it, `SKILL.md` first."""

    name: str
    frontmatter: dict[str, Any]
    files: dict[str, bytes]

    @property
    def uri(self) -> str:
        return self.uri_of("SKILL.md")

    @property
    def text(self) -> str:
        return self.files["SKILL.md"].decode()

    def uri_of(self, path: str) -> str:
        return f"skill://{self.name}/{path}"

    def entry(self) -> dict[str, Any]:
        """As `skills/list` tells of it."""
        return {
            "uri": self.uri,
            "frontmatter": self.frontmatter,
            "resources": [
                {
                    "uri": self.uri_of(path),
                    "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
                    "size": len(data),
                }
                for path, data in self.files.items()
            ],
        }


class Shelf:
    """The skills that came with this program. `folder`: instead of those, for tests."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @cached_property
    def skills(self) -> dict[str, Skill]:
        """By name. Raises BugError: a skill is not as it has to be."""
        return {home.parent.name: _load(home.parent) for home in self._homes()}

    def _homes(self) -> list[Path]:
        return sorted((self._folder or bundled("skills")).glob("*/SKILL.md"))

    def file(self, skill: str, path: str) -> str:
        """The text of one file. Raises ResourceNotFoundError."""
        found = self.skills.get(skill)
        data = found.files.get(path) if found is not None else None
        if data is None:
            raise ResourceNotFoundError(f"NOT_FOUND: no skill://{skill}/{path}. See skills/list.")
        return data.decode()

    def resources(self) -> list[Resource]:
        """Every file of every skill, for the list of resources."""
        return [
            Resource(
                uri=skill.uri_of(path),
                name=skill.name if path == "SKILL.md" else f"{skill.name}/{path}",
                description=skill.frontmatter["description"] if path == "SKILL.md" else None,
                mime_type=MARKDOWN,
                size=len(data),
            )
            for skill in self.skills.values()
            for path, data in skill.files.items()
        ]


class SkillsOverMcp(Extension):
    identifier = SKILLS

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def listing(
        self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> HandlerResult:
        if params.cursor is not None:
            raise MCPError(INVALID_PARAMS, "there is one page of skills")
        skills = [skill.entry() for skill in self._shelf.skills.values()]
        return {"skills": skills, "ttlMs": TTL_MS, "cacheScope": "public"}

    async def one(self, ctx: ServerRequestContext[Any, Any], params: SkillParams) -> HandlerResult:
        for skill in self._shelf.skills.values():
            if skill.uri == params.uri:
                return {"skill": skill.entry(), "ttlMs": TTL_MS, "cacheScope": "public"}
        raise MCPError(INVALID_PARAMS, f"no skill {params.uri[:200]!r}", {"uri": params.uri})

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("skills/list", PaginatedRequestParams, self.listing),
            MethodBinding("skills/get", SkillParams, self.one),
        ]


def _load(home: Path) -> Skill:
    paths = [path for path in sorted(home.rglob("*")) if path.is_file()]
    files = {path.relative_to(home).as_posix(): path.read_bytes() for path in paths}
    files = {"SKILL.md": files.pop("SKILL.md")} | files
    frontmatter = front_matter(files["SKILL.md"].decode())
    if frontmatter.get("name") != home.name or not frontmatter.get("description"):
        raise BugError(f"skill {home.name} has another name in it, or no description")
    return Skill(home.name, frontmatter, files)


def front_matter(text: str) -> dict[str, Any]:
    """What stands between the two `---`: the part of YAML that our skills are written in.

    `key: words`, `key: "words"`, `key: >-` with indented lines that are one, `key:` with indented `key: words`.

    Raises:
        BugError: it is written otherwise.
    """
    lines = text.splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        raise BugError("a skill begins with front matter between two lines ---")
    found: dict[str, Any] = {}
    key = ""
    for line in lines[1 : lines.index("---", 1)]:
        indented, told = line.startswith("  "), line.strip()
        if not indented:
            key, _, value = told.partition(":")
            value = value.strip()
            found[key] = "" if value == ">-" else ({} if not value else _words(value))
        elif isinstance(found.get(key), dict):
            inner, _, value = told.partition(":")
            found[key][inner] = _words(value.strip())
        elif isinstance(found.get(key), str):
            found[key] = f"{found[key]} {told}".strip()
        else:
            raise BugError(f"front matter: what is {line!r}?")
    return found


def _words(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    if not quoted and (not value or value[0] in "'\"[{&*!|>%@`#" or ": " in value or " #" in value):
        raise BugError(f"front matter: {value!r} is more YAML than is read here")
    return value[1:-1] if quoted else value
