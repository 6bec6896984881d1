"""The whole set of tools with arguments that nobody should send: a short answer each, and nothing half-written."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from fake_provider import FakeProvider
from server.talk import Talk, talking

from flowkit_mcp.app import FlowKit

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(170)]

CALLS = 1000
SEED = 20_261_124
#: What belongs to the work; the rest is about processes, browsers and the account.
TABLES = ("project", "video", "scene", "character", "scene_character", "project_character", "asset",
          "asset_remote", "take", "trim", "setting", "render", "publication", "job", "operation")  # fmt: skip
REFUSED = re.compile(r"[A-Z][A-Z_]+: \S")
NOISE = ("Traceback", 'File "', "pydantic", "sqlite3", "Error executing", "object at 0x", "\x1b")


def hostile(outside: Path) -> list[Any]:
    return [
        None, True, 0, -1, 1, 2, 9, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308, 0.5, "", " ", "0", "1", "-1",
        "x" * 100_000, "Ω" * 20_000, "a\x00b", "half a face \ud83d", "\x1b[31mred\x07",
        "line\nbreak", "\u202eevil", "..", "../../x",
        "../../../etc/passwd", "/etc/passwd", "C:\\Windows\\system.ini", "\\\\server\\share", "file:///etc/passwd",
        "https://example.invalid/x.png", str(outside), str(outside.parent), "Fox", "Film", "Mai", "job 1",
        "job 999999", "01a20b6c-0000-7000-8000-000000000000", "'; DROP TABLE job; --", "%s%n{0}", "CON", "nul.txt",
        [], {}, [[]], [None], [1, "1", 1.0], ["x"] * 500, {"prompt": 1}, {"prompt": "x", "nope": {}},
        [{"name": "../up"}], [{"prompt": "p", "characters": ["Nobody"]}], {"a": {"a": {"a": {}}}},
    ]  # fmt: skip


class Fuzzer:
    """Calls drawn from the tools' own schemas, with some or all arguments wrong."""

    def __init__(self, schemas: dict[str, dict[str, Any]], outside: Path) -> None:
        self._roll = random.Random(SEED)
        self._schemas = schemas
        self._hostile = hostile(outside)

    def call(self) -> tuple[str, dict[str, Any]]:
        name = self._roll.choice(sorted(self._schemas))
        fields = self._schemas[name].get("properties", {})
        given = {
            field: self._value(field, schema)
            for field, schema in fields.items()
            if field in self._schemas[name].get("required", ()) or self._roll.random() < 0.4
        }
        if given and self._roll.random() < 0.8:
            given[self._roll.choice(sorted(given))] = self._roll.choice(self._hostile)
        if self._roll.random() < 0.1:
            given[self._roll.choice(("nope", "../x", "\x00", "kit"))] = self._roll.choice(
                self._hostile
            )
        if name == "wait":  # a good one would wait for work that stands still
            given["max_wait_s"] = self._roll.choice((0, -1, "soon", 51, None))
            given["jobs"] = self._roll.choice((["x"], [999_999], [], "all", [None], [2**70]))
        return name, given

    def _value(self, field: str, schema: dict[str, Any]) -> Any:
        """Something plausible, so that the wrong argument is reached."""
        known = {"project": "Fox", "video": "Film", "scene": 1, "character": "Mai", "name": "New one",
                 "title": "New one", "prompt": "a fox", "scenes": [1], "characters": ["Mai"],
                 "orientation": "VERTICAL"}  # fmt: skip
        if field in known and self._roll.random() < 0.9:
            return known[field]
        return self._roll.choice(self._hostile)


async def test_a_thousand_bad_calls_are_answered_shortly_and_refusals_leave_no_trace(
    kit: FlowKit, provider: FakeProvider, tmp_path: Path
) -> None:
    outside = tmp_path / "somebody else's" / "secret.txt"
    outside.parent.mkdir()
    outside.write_text("SECRET-OF-SOMEBODY", encoding="utf-8")
    async with talking(kit, provider, "auto") as talk:
        await talk.production()
        provider.connected = False  # from here on, nothing moves by itself
        talk.person.answer = "decline"
        tools = (await talk.client.list_tools()).tools
        fuzzer = Fuzzer({tool.name: tool.input_schema for tool in tools}, outside)
        before = await _all_there_is(kit)
        answered = refused = 0
        called: set[str] = set()
        for number in range(CALLS):
            name, given = fuzzer.call()
            called.add(name)
            result = await _call(talk, name, given)
            text = "".join(getattr(part, "text", "") for part in result.content)
            shown = (number, name, json.dumps(given)[:300], text[:500])
            assert "SECRET-OF-SOMEBODY" not in text, shown
            after = await _all_there_is(kit)
            if result.is_error:
                refused += 1
                assert REFUSED.match(text), shown
                assert not [noise for noise in NOISE if noise in text], shown
                assert len(text) < 4000, shown
                assert not text.startswith("BUG"), shown
                assert after == before, shown
            else:
                answered += 1
            before = after
        assert refused > CALLS / 3 and answered > CALLS / 20, (refused, answered)
        assert called == {tool.name for tool in tools}
        assert provider.ledger == []
        assert await kit.db.quick_check() == "ok"
        media = [f for f in kit.settings.library.rglob("*") if f.is_file()]
        assert all(file.resolve().is_relative_to(kit.settings.library) for file in media)
        assert {file.name for file in tmp_path.iterdir()} == {"library", outside.parent.name}


async def _call(talk: Talk, name: str, given: dict[str, Any]) -> Any:
    async with asyncio.timeout(30):
        return await talk.call(name, **given)


async def _all_there_is(kit: FlowKit) -> tuple[Any, ...]:
    """Every row of the work and every file of the library."""
    rows = [str(await kit.db.all(f"SELECT * FROM {table}")) for table in TABLES]
    files = sorted(
        (str(file), file.stat().st_size)
        for file in kit.settings.library.rglob("*")
        if file.is_file() and ".flowkit" not in file.parts
    )
    return (*rows, files)
