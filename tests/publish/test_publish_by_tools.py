"""`upload` as an agent calls it: looked at from all sides first, sent only with the person's yes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_provider import FakeProvider
from publish_world import PublishWorld, another_render
from talk import Talk, talking

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.publish.client import day_began
from flowkit_mcp.store import publications

pytestmark = pytest.mark.e2e

FILM: dict[str, Any] = {"video": "The lamp", "made_for_kids": False}
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


def errors(report: dict[str, Any]) -> dict[str, str]:
    return {one["field"]: one["message"] for one in report["remarks"] if one["severity"] == "error"}


@ERAS
async def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(
    publishing: PublishWorld, mode: str
) -> None:
    async with talking(publishing.kit, FakeProvider(), mode) as talk:
        report = await talk.do("upload", **FILM)
    assert (report["ok"], report["dry_run"], errors(report)) == (True, True, {})
    assert report["metadata"] == {
        "snippet": {
            "title": "The lamp",
            "description": "A story of light.",
            "tags": [],
            "categoryId": "1",
            "defaultLanguage": "en",
            "defaultAudioLanguage": "en",
        },
        "status": {
            "privacyStatus": "private",
            "containsSyntheticMedia": True,
            "selfDeclaredMadeForKids": False,
        },
        "notifySubscribers": False,
    }
    assert report["next_slot"]
    assert talk.person.questions == []
    assert publishing.youtube.calls["open"] == 0


@ERAS
async def test_with_the_persons_yes_it_is_uploaded_and_the_job_tells_where(
    publishing: PublishWorld, mode: str
) -> None:
    async with talking(publishing.kit, FakeProvider(), mode) as talk:
        started = await talk.do("upload", **FILM, title="A lamp", privacy="unlisted", dry_run=False)
        told = await talk.do("wait", jobs=[started["job"]["job"]])
        again = await talk.do("upload", **FILM)
    (question,) = talk.person.questions
    assert question.startswith(
        "Upload the wide film of 'The lamp' (24 s, 2.6 MB) to the LOCAL stand-in for YouTube, channel "
        "'Stand-in channel', as 'A lamp'?\n- visible: unlisted\n- made for children: no\n"
    )
    (video,) = publishing.youtube.videos.values()
    (line,) = told["jobs"]
    assert line["what"] == "upload of the HORIZONTAL film"
    assert (line["state"], line["url"]) == (
        "succeeded",
        f"{publishing.youtube.url}/watch/{video.id}",
    )
    assert "still processing" in line["warnings"][0]
    assert video.listing["snippet"]["title"] == "A lamp"
    assert publishing.arrived_once()
    # and how it is getting on is told when somebody asks again
    assert errors(again) == {"film": f"this film is there already: {line['url']}"}
    assert again["published"][0]["processing"] == "processed"


@ERAS
@pytest.mark.parametrize("answer", ["decline", "cancel"])
async def test_a_no_sends_nothing(publishing: PublishWorld, mode: str, answer: str) -> None:
    async with talking(publishing.kit, FakeProvider(), mode) as talk:
        talk.person.answer = answer
        text = await talk.fail("upload", **FILM, dry_run=False)
        assert text.startswith("NOT_APPROVED")
        assert (await talk.do("list_jobs"))["jobs"] == []
    assert publishing.youtube.calls["open"] == 0


@ERAS
async def test_a_client_that_cannot_ask_gets_the_words_and_a_quote_good_for_exactly_this(
    publishing: PublishWorld, mode: str
) -> None:
    async with talking(publishing.kit, FakeProvider(), mode, can_ask=False) as talk:
        text = await talk.fail("upload", **FILM, dry_run=False)
        assert "Upload the wide film of 'The lamp'" in text
        found = re.search(r"approval='(q-[0-9a-f]+)'", text)
        assert found
        other = await talk.fail(
            "upload", **FILM, privacy="public", dry_run=False, approval=found[1]
        )
        assert other.startswith("APPROVAL_NEEDED")
        started = await talk.do("upload", **FILM, dry_run=False, approval=found[1])
        told = await talk.do("wait", jobs=[started["job"]["job"]])
    assert told["jobs"][0]["state"] == "succeeded"


async def test_whether_it_is_for_children_is_asked_and_never_guessed(
    publishing: PublishWorld,
) -> None:
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:
        report = await talk.do("upload", video="The lamp")
        assert errors(report).keys() == {"made_for_kids"}
        shown = report["metadata"]["status"]["selfDeclaredMadeForKids"]
        assert shown == "missing: ask the person"
        assert "ask the person" in report["next"]
        text = await talk.fail("upload", video="The lamp", dry_run=False)
        assert "made_for_kids" in text and "Ask the person" in text
    assert talk.person.questions == []


async def test_the_channels_habits_a_schedule_and_the_next_free_slot(
    publishing: PublishWorld,
) -> None:
    publishing.kit.settings.channel_habits.write_text(
        '["Stand-in channel"]\ntags = ["light house", "sea"]\nfooter = "Made with care."\n'
        '["Stand-in channel".schedule]\nper_day = 1\n',
        encoding="utf-8",
    )
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:
        report = await talk.do("upload", **FILM, publish_at="next")
        snippet, status = report["metadata"]["snippet"], report["metadata"]["status"]
        assert snippet["tags"] == ["light house", "sea"]
        assert snippet["description"] == "A story of light.\n\nMade with care."
        assert (status["privacyStatus"], "publishAt" in status) == ("private", True)
        await talk.do("upload", **FILM, publish_at="next", dry_run=False)
        render, _ = await another_render(
            publishing.kit, publishing.video, Orientation.HORIZONTAL, 20
        )
        second = await talk.do("upload", **FILM, render=render.number, publish_at="next")
        first_at, second_at = (
            datetime.fromisoformat(one["metadata"]["status"]["publishAt"])
            for one in (report, second)
        )
        assert second_at.date() > first_at.date(), "one film a day"
        assert "has no zone" in await talk.fail("upload", **FILM, publish_at="2030-01-01T12:00")
        past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        assert errors(await talk.do("upload", **FILM, publish_at=past)).keys() == {"publish_at"}
        assert (await talk.do("wait"))["done"]


async def test_a_quota_that_our_own_calls_used_up_is_seen_before(publishing: PublishWorld) -> None:
    job = await publishing.run()
    now = publishing.kit.clock.now()
    today = int(day_began(datetime.fromtimestamp(now / 1000, UTC)).timestamp() * 1000)
    render, _ = await another_render(publishing.kit, publishing.video, Orientation.VERTICAL, 20)
    captions = publishing.attachment("film.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhi\n").path
    wanted = {**FILM, "orientation": "VERTICAL", "captions": captions}
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:
        async with publishing.kit.db.transaction() as tx:  # yesterday's do not count
            await publications.spend(tx, job.id, "units", 9_900, today - 1)
        assert errors(await talk.do("upload", **wanted)) == {}
        async with publishing.kit.db.transaction() as tx:
            await publications.spend(tx, job.id, "units", 9_700, now)
        assert "captions" in errors(await talk.do("upload", **wanted))["quota"]
        async with publishing.kit.db.transaction() as tx:
            await publications.spend(tx, job.id, "uploads", 99, now)
        del wanted["captions"]
        assert "100 uploads today" in errors(await talk.do("upload", **wanted))["quota"]
    assert render.orientation is Orientation.VERTICAL


async def test_files_are_what_they_say(publishing: PublishWorld) -> None:
    text = publishing.attachment("secrets.txt", b"nothing for the world").path
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:
        assert "no SRT or VTT" in await talk.fail("upload", **FILM, captions=text)
        assert "thumbnail" in errors(await talk.do("upload", **FILM, thumbnail=text))
        assert "no file" in await talk.fail("upload", **FILM, thumbnail="poster.jpg")
        assert "without captions" in await talk.fail("upload", **FILM, captions="film")


async def test_an_upload_is_paused_and_goes_on_by_tool(publishing: PublishWorld) -> None:
    second_chunk = publishing.hold(2)
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:
        started = await talk.do("upload", **FILM, dry_run=False)
        await second_chunk.wait()
        await talk.do("cancel_job", job=started["job"]["job"], pause=True)
        told = await talk.do("wait")
        assert told["jobs"][0]["why"].startswith("PAUSED: paused on request")
        publishing.youtube.heal()
        await talk.do("resolve_job", job=started["job"]["job"], action="retry")
        assert (await talk.do("wait"))["jobs"][0]["state"] == "succeeded"
        assert "is succeeded" in await talk.fail(
            "cancel_job", job=started["job"]["job"], pause=True
        )
    assert len(publishing.youtube.sessions) == 1


async def test_sending_again_what_may_be_there_asks_the_person(publishing: PublishWorld) -> None:
    publishing.youtube.fault("forbidden")
    job = await publishing.run()
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:
        talk.person.answer = "decline"
        await talk.fail("resolve_job", job=job.id, action="submit_again")
        assert talk.person.questions[0].startswith(
            f"Send the film of job {job.id} to YouTube again?"
        )
    assert publishing.youtube.calls["open"] == 1


async def test_simulated_films_stay_on_this_machine(publishing: PublishWorld) -> None:
    """A library that the simulator marked, opened as if it were real: the preflight refuses, by tool and by script."""
    kit = publishing.kit
    library = kit.settings.library
    (kit.settings.state_dir / "kind").write_text("simulated\n", encoding="utf-8")
    real = Settings(library=library, port=47999)
    assert real.youtube_root is None
    async with (
        FlowKit.open(real, provider=FakeProvider()) as second,
        talking(second, FakeProvider(), "auto") as talk,
    ):
        report = await talk.do("upload", **FILM)
        assert "its films stay on this machine" in errors(report)["film"]
        assert "stay on this machine" in await talk.fail("upload", **FILM, dry_run=False)
    simulated = Settings(library=library, port=47999, simulator="http://127.0.0.1:9")
    assert simulated.youtube_root == "http://127.0.0.1:9/youtube"
    elsewhere = Settings(
        library=library, simulator="http://127.0.0.1:9", youtube=publishing.youtube.url
    )
    assert elsewhere.youtube_root == "http://127.0.0.1:9/youtube"


@pytest.fixture
async def told(publishing: PublishWorld) -> AsyncGenerator[list[str]]:
    """Everything that tools say in a whole upload with trouble on its way."""
    said: list[str] = []
    async with talking(publishing.kit, FakeProvider(), "auto") as talk:

        async def call(name: str, **arguments: Any) -> dict[str, Any]:
            result = await Talk.call(talk, name, **arguments)
            said.append(result.model_dump_json())
            return result.structured_content or {}

        publishing.youtube.fault("drop")
        publishing.youtube.fault("forbidden", at="chunk")
        started = await call("upload", **FILM, dry_run=False)
        await call("wait")
        await call("list_jobs", job=started["job"]["job"])
        await call("resolve_job", job=started["job"]["job"], action="retry")
        await call("wait")
        await call("list_jobs", job=started["job"]["job"])
        await call("upload", **FILM)
    yield said


async def test_no_token_and_no_session_is_in_anything_that_tools_say(
    publishing: PublishWorld, told: list[str]
) -> None:
    settings = publishing.kit.settings
    signin = json.loads(next(settings.youtube_folder.glob("keys/*.json")).read_text("utf-8"))
    (stand,) = (json.loads(f.read_text("utf-8")) for f in settings.uploads.glob("*.json"))
    words = "\n".join(told)
    assert stand["video_id"] in words
    for secret in (signin["token"], stand["session"], stand["session"].rsplit("/", 1)[-1]):
        assert secret not in words
