"""What the seven skills tell an agent to do, done in their order against the simulator: each step works as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo_run import Clip
from film_by_tools import Person, call, made, server, settle, stdio
from mcp import Client

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

LAMP = {"video": "Lamp"}
SCENES: list[dict[str, Any]] = [
    {
        "prompt": "Mira lights the lamp in the lighthouse at dusk",
        "video_prompt": "0-4s: she strikes a match. 4-10s: the lamp flares up.",
        "characters": ["Mira", "Lighthouse"],
    },
    {
        "prompt": "Mira looks out to the sea",
        "narration": "Every night " + "and every single night again " * 8 + "she waits.",
        "continues": "previous",
    },
]


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text  # type: ignore[union-attr]


async def planned(client: Client) -> None:
    """flowkit-produce until the first gate, by flowkit-story."""
    while not (await call(client, "status"))["ready"]:
        await call(client, "wait", max_wait_s=1)
    assert (await call(client, "list_projects"))["projects"] == []
    await call(client, "create_project", name="Harbour", style="Watercolour, low evening sun")
    cast = [
        {"name": "Mira", "description": "a girl of ten, yellow raincoat, short black hair"},
        {"name": "Lighthouse", "entity_type": "location", "description": "white, red roof"},
    ]
    await call(client, "add_character", project="Harbour", characters=cast)
    await call(client, "add_video", project="Harbour", title="Lamp", orientation="VERTICAL")
    await call(client, "add_scene", video="Lamp", scenes=SCENES)
    found = await flaws(client)
    assert {"MISSING_REFERENCE", "SUBCLIP_OUTSIDE", "NOT_CAST", "TOO_MANY_WORDS"} <= found
    # each finding carries its remedy; once that is done it is gone
    beats = "0-4s: she strikes a match. 4-8s: the lamp flares up."
    await call(client, "update_scene", **LAMP, scene="1", video_prompt=beats)
    said = "Every night she waits."
    await call(client, "update_scene", **LAMP, scene="2", characters=["Mira"], narration=said)
    assert await flaws(client) == {"MISSING_REFERENCE", "NO_START_IMAGE"}


async def flaws(client: Client) -> set[str]:
    """The codes of what `check_plan` finds."""
    told = await call(client, "check_plan", **LAMP)
    assert all(one["remedy"] for one in told.get("findings", []))
    return {one["code"] for one in told.get("findings", [])}


async def shot(client: Client) -> None:
    """flowkit-shoot: references, first frames, one trial clip, the rest, the price of larger versions."""
    assert "Mira, Lighthouse" in await refused(client, "generate_image", **LAMP, scenes=["1"])
    await call(client, "generate_image", project="Harbour", characters=["Mira", "Lighthouse"])
    await settle(client)
    await call(client, "edit_image", character="Mira", project="Harbour", prompt="a longer coat")
    await settle(client)
    await made(client, "generate_image", {**LAMP, "missing": True})
    sheet = await client.call_tool("get_project", {"project": "Harbour", "picture": True})
    assert any(part.type == "image" for part in sheet.content)
    assert (
        await step(client)
        == "generate_video(video='Lamp', missing=true) makes the clips that are missing."
    )
    await call(client, "generate_video", **LAMP, scenes=["1"])
    await settle(client)
    trial = await call(client, "review", **LAMP, scenes=["1"], detail="full")
    assert list(trial["clips"]) == ["1 VERTICAL"]
    await made(client, "generate_video", {**LAMP, "missing": True})
    larger = await call(client, "check_plan", **LAMP, upscale="1080p")
    assert larger["next"] == "Tell the person the total; then upscale with missing=true."


async def step(client: Client) -> str:
    """What `get_project` says is next."""
    return (await call(client, "get_project", project="Harbour"))["next"]


async def cut(client: Client) -> Clip:
    """flowkit-review and flowkit-finish: measured, trimmed by a beat, joined, a picture to choose it by."""
    assert "review" in await step(client)
    assert len((await call(client, "review", **LAMP))["clips"]) == 2
    trimmed = await call(client, "trim", **LAMP, scene="1", beat="she strikes")
    assert trimmed["shown"] == {"VERTICAL": "0 s to 4 s"}
    (plan,) = (await call(client, "merge", **LAMP, dry_run=True))["plans"]
    assert plan["seconds"] == 12
    await call(client, "merge", **LAMP, join="crossfade", captions="file")
    await settle(client)
    (picture,) = (await call(client, "thumbnail", **LAMP, title="The lamp"))["paths"]
    assert Path(picture).is_file()
    (video,) = (await call(client, "get_project", project="Harbour"))["videos"]
    return Clip(video["films"][0]["path"])


async def published(client: Client) -> None:
    """flowkit-publish: dry until all is said, then the person's yes to what is sent word for word."""
    dry = await call(client, "upload", **LAMP)
    assert [one["field"] for one in dry["remarks"] if one["severity"] == "error"] == [
        "made_for_kids"
    ]
    await call(client, "update_video", **LAMP, description="A lamp", tags=["lamp"])
    dry = await call(client, "upload", **LAMP, made_for_kids=False)
    assert dry["ok"]
    assert dry["metadata"]["snippet"]["tags"] == ["lamp"]
    await call(client, "upload", **LAMP, made_for_kids=False, dry_run=False)
    await settle(client)
    assert (await call(client, "list_jobs", show="attention"))["jobs"] == []
    again = await call(client, "upload", **LAMP, made_for_kids=False)
    assert again["published"][0]["privacy"] == "private"


async def test_the_skills_lead_from_an_idea_to_a_published_film(tmp_path: Path) -> None:
    person = Person()
    command, env = server(tmp_path / "library")
    async with Client(
        stdio(command, env), elicitation_callback=person, read_timeout_seconds=120
    ) as client:
        await planned(client)
        await shot(client)
        film = await cut(client)
        await published(client)
        # flowkit-doctor: charged, and the evidence
        clip = next(job for job in (await call(client, "list_jobs"))["jobs"] if job.get("credits"))
        history = (await call(client, "list_jobs", job=str(clip["job"])))["history"]
        assert any("credits=12" in event.get("data", "") for event in history)
        spent = (await call(client, "check_plan", **LAMP))["so_far"]["spent"]
        held = await call(client, "flow_library", action="list_contents", project="Harbour")
        assert {item["kind"] for item in held["items"]} == {"image", "video"}
    assert film.size == (720, 1280)
    assert film.duration_s == pytest.approx(11.5, abs=0.2)
    trial, rest, upload = person.asked
    assert spent == 24
    assert all("12 credits" in question for question in (trial, rest))
    assert "YouTube" in upload
