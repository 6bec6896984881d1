"""A whole film through the server process by a client of either era, approvals answered, tasks where declared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from demo_run import Clip
from film_by_tools import MAKING, Person, call, joined, made, planned, server, settle, stdio
from mcp import Client

sys.path.append(str(Path(__file__).parents[1] / "server"))
from tasks_client import Left, TaskTaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def checked(film: Path, person: Person) -> None:
    """Two clips in one upright film, and every spending was put to the person with its price."""
    whole = Clip(str(film))
    assert whole.size == (720, 1280)
    assert whole.duration_s > 6
    assert person.asked
    assert all("credits" in question for question in person.asked)


async def test_a_client_of_the_older_era_makes_a_film(tmp_path: Path) -> None:
    person = Person()
    command, env = server(tmp_path / "library")
    async with Client(
        stdio(command, env), mode="legacy", elicitation_callback=person, read_timeout_seconds=120
    ) as client:
        await planned(client)
        for tool, arguments in MAKING:
            await made(client, tool, arguments)
        film = await joined(client)
    checked(film, person)


async def test_a_client_of_the_newer_era_makes_a_film_with_tasks_across_a_restart(
    tmp_path: Path,
) -> None:
    """The server process ends while the clips are a task; the next one delivers its result."""
    person = Person()
    command, env = server(tmp_path / "library")
    taker = TaskTaker()
    options: dict[str, Any] = {
        "elicitation_callback": person,
        "extensions": [taker],
        "read_timeout_seconds": 120,
    }
    async with Client(stdio(command, env), **options) as client:
        assert client.protocol_version == "2026-07-28"
        await planned(client)
        await made(client, *MAKING[0])
        assert taker.created, "pictures were tasks"
        taker.leave = True
        with pytest.raises(Left) as left:
            await call(client, *MAKING[1][:1], **MAKING[1][1])
    taker.leave = False
    async with Client(stdio(command, env), **options) as client:
        result = await taker.follow(client.session, str(left.value))
        assert not result.is_error
        assert result.structured_content is not None
        assert [job["state"] for job in result.structured_content["jobs"]] == ["succeeded"] * 2
        await made(client, *MAKING[1])
        film = await joined(client)
        await settle(client)
    checked(film, person)
    clips = [question for question in person.asked if "clip" in question]
    assert len(clips) == 1, "the clips were agreed to, and paid, once"
