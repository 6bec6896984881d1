"""The clips looked at through the tool: a picture, facts that stand without it, and what each fault costs to mend."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from talk import Talk

from flowkit_mcp.work import local

pytestmark = pytest.mark.media


async def test_a_review_is_one_small_picture_and_facts_that_stand_alone(talk: Talk) -> None:
    await talk.production()
    await talk.clips()
    result = await talk.call("review", video="Film")
    assert not result.is_error
    text, picture, link = result.content
    assert json.loads(text.text) == result.structured_content
    data = base64.b64decode(picture.data)
    assert picture.mime_type == "image/jpeg" and len(data) <= 200_000
    with Image.open(io.BytesIO(data)) as sheet:
        assert (sheet.format, max(sheet.size) <= 1200) == ("JPEG", True)
    facts = result.structured_content
    assert facts["shown"] == "scenes 1, 2 of 2, VERTICAL"
    assert "0.50 s" in facts["clips"]["1 VERTICAL"]
    assert "instead of 8 s" in facts["clips"]["1 VERTICAL"]
    assert str(link.uri) == Path(facts["sheet"]).as_uri()
    with Image.open(facts["sheet"]) as large:
        assert max(large.size) > 1200
    assert len(text.text) < 8_000


async def _written(talk: Talk) -> dict[str, Any]:
    """All rows but those of the account, which is read again after each clip, whenever that may be."""
    tables = await talk.kit.db.all("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {one["name"] for one in tables} - {"provider_state"}
    return {name: await talk.kit.db.all(f"SELECT * FROM {name}") for name in sorted(names)}


async def test_a_review_changes_nothing_and_the_second_one_measures_nothing(talk: Talk) -> None:
    await talk.production()
    await talk.clips()
    before = await _written(talk)
    assert before["take"] and before["job_event"]
    first = await talk.do("review", video="Film")
    measures = sorted((talk.kit.settings.library / ".flowkit" / "looks").glob("*"))
    assert await talk.do("review", video="Film") == first
    assert sorted((talk.kit.settings.library / ".flowkit" / "looks").glob("*")) == measures
    assert await _written(talk) == before
    assert len([one for one in talk.provider.ledger if one.credits]) == 2  # the clips, once


async def _only_clip(talk: Talk) -> Path:
    await talk.production(scenes=1)
    await talk.clips()
    view = await talk.do("get_project", project="Fox", detail="full")
    return Path(view["scenes"][0]["slots"]["VERTICAL"]["video"]["path"])


async def test_a_damaged_clip_that_flow_has_is_fetched_again_free_and_nothing_is_offered_for_it(
    talk: Talk,
) -> None:
    clip = await _only_clip(talk)
    whole = clip.read_bytes()
    clip.write_bytes(whole[:2000])
    facts = await talk.do("review", video="Film")
    said = facts["clips"]["1 VERTICAL"]
    where = clip.relative_to(talk.kit.settings.library).as_posix()
    assert f"delete {where}: it is fetched again free while Flow is connected" in said
    assert "retakes" not in facts and "new_take" not in facts["next"]
    clip.unlink()
    gone = await talk.do("review", video="Film")
    said = gone["clips"]["1 VERTICAL"]
    assert f"{where} is gone; it is fetched again free while Flow is connected" in said
    assert "delete" not in said and "retakes" not in gone
    await talk.do("merge", video="Film")  # does as was said
    assert (await talk.do("wait"))["done"]
    assert clip.read_bytes() == whole
    home = await talk.do("review", video="Film")
    assert "fetched again" not in home["clips"]["1 VERTICAL"]
    assert home["sheet"] != gone["sheet"] != facts["sheet"]
    assert len([one for one in talk.provider.ledger if one.credits]) == 1


async def test_a_damaged_clip_that_flow_does_not_have_is_told_with_the_price_of_another(
    talk: Talk,
) -> None:
    clip = await _only_clip(talk)
    async with talk.kit.db.transaction() as tx:
        await tx.run("UPDATE asset_remote SET gone_at = 1")
    whole = clip.read_bytes()
    for damage in (lambda: clip.write_bytes(whole[:2000]), clip.unlink):
        damage()
        facts = await talk.do("review", video="Film")
        (again,) = facts["retakes"]
        assert (again["scene"], again["orientation"], again["credits"]) == (1, "VERTICAL", 12)
        assert "fetched again free" not in facts["clips"]["1 VERTICAL"]
        assert "new_take=true), 12 credits in all" in facts["next"]


async def test_scenes_without_clips_are_shown_by_their_images_and_said_to_lack_one(
    talk: Talk,
) -> None:
    await talk.production(scenes=3)
    await talk.images()
    facts = await talk.do("review", video="Film", scenes=[1, 3])
    assert facts["clips"] == {"1 VERTICAL": "no clip yet", "3 VERTICAL": "no clip yet"}
    assert "joins" not in facts


async def test_a_long_video_is_reviewed_in_pages(talk: Talk) -> None:
    await talk.production(scenes=14)
    facts = await talk.do("review", video="Film")
    assert len(facts["clips"]) == 12
    assert "scenes=[13, 14]" in facts["next"]
    full = await talk.do("review", video="Film", scenes=[13, 14], detail="full")
    assert list(full["clips"]) == ["13 VERTICAL", "14 VERTICAL"]


async def test_trims_count_in_a_review(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.clips()
    await talk.do("trim", scene=1, video="Film", start_s=0.125, end_s=0.375)
    facts = await talk.do("review", video="Film")
    assert "shown 0.12-0.38" in facts["clips"]["1 VERTICAL"]


async def test_what_cannot_be_reviewed_is_said(talk: Talk) -> None:
    await talk.account_seen()
    await talk.do("create_project", name="Empty")
    await talk.do("add_video", project="Empty", title="Nothing")
    assert "add_scene" in await talk.fail("review", video="Nothing")
    assert "NOT_FOUND" in await talk.fail("review", video="Nowhere")


async def test_a_film_is_told_with_what_its_joins_lack_and_what_mending_costs(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.do(
        "add_scene", video="Film", scenes=[{"prompt": "and goes on", "continues": "previous"}]
    )
    await talk.images()
    await talk.clips()
    await talk.do("merge", video="Film")
    (line,) = (await talk.do("wait"))["jobs"]
    (said,) = line["warnings"]
    assert said.startswith("join 1-2: ")  # the first clip ends light, the second begins dark
    assert "darker" in said
    assert said.endswith("only another take of scene 2 mends it (12 credits)")
    facts = await talk.do("review", video="Film")
    assert "darker" in facts["joins"]["1-2 VERTICAL"]
    (again,) = facts["retakes"]
    assert (again["scene"], again["credits"]) == (2, 12)
    (video,) = await talk.kit.db.all("SELECT recipe FROM render")
    (kept,) = json.loads(video["recipe"])["joins"]
    assert kept["after"] == 1
    assert [fault["code"] for fault in kept["faults"]] == ["COLOUR"]
    assert (await talk.do("merge", video="Film"))["films"][0]["joins"] == [said]


async def test_a_running_merge_says_what_it_is_doing(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, joins_of = asyncio.Event(), local.joins_of

    async def held(*given: Any) -> Any:
        await seen.wait()
        return await joins_of(*given)

    monkeypatch.setattr(local, "REPORT_EVERY_S", 0.01)
    monkeypatch.setattr(local, "joins_of", held)
    await talk.production()
    await talk.clips()
    await talk.do("merge", video="Film")
    version = await talk.kit.db.version()
    while not (waited := await talk.do("wait", max_wait_s=0))["done"]:
        (job,) = waited["jobs"]
        if job.get("progress") == "99%, looking at the joins":
            seen.set()
        version = await talk.kit.db.changed(version, 5)
    assert seen.is_set()
