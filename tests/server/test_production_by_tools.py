"""A whole film through tool calls alone, in both protocol eras."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from talk import Talk


async def test_a_film_is_made_by_tool_calls_alone(talk: Talk) -> None:
    await talk.account_seen()
    await talk.do("create_project", name="Fox", style="ink drawing")
    await talk.do(
        "add_character",
        project="Fox",
        characters=[
            {"name": "Mai", "description": "a red fox", "voice_description": "soft"},
            {"name": "Forest", "entity_type": "location"},
        ],
    )
    await talk.do("add_video", project="Fox", title="Film")
    added = await talk.do(
        "add_scene",
        video="Film",
        scenes=[
            {"prompt": "Mai wakes", "characters": ["Mai", "Forest"]},
            {"prompt": "Mai runs", "characters": "Mai", "continues": "previous"},
        ],
    )
    assert [(line["scene"], line.get("continues")) for line in added["scenes"]] == [
        (1, None),
        (2, 1),
    ]

    rounds = 0
    while (await talk.do("generate_image", video="Film", missing=True))["jobs"]:
        rounds += 1
        assert (await talk.do("wait"))["done"]
    assert rounds == 3  # references, then scene 1, then scene 2 that continues it

    started = await talk.do("generate_video", video="Film", missing=True)
    assert len(started["jobs"]) == 4
    assert started["credits"] == 48
    assert (await talk.do("wait"))["done"]
    await talk.do("upscale", video="Film", scenes=1, orientations="HORIZONTAL")
    await talk.do("wait")
    await talk.do("merge", video="Film")
    result = await talk.call("wait")

    films = [Path(job["path"]) for job in result.structured_content["jobs"]]
    assert all(film.is_absolute() and film.is_file() for film in films)
    links = [block.uri for block in result.content if block.type == "resource_link"]
    assert links == [film.as_uri() for film in films]
    assert talk.provider.charged == 51
    assert (await talk.do("status"))["spent_credits"] == 51
    assert len(talk.person.questions) == 2  # the clips, the upscale; what is free never asks

    again = await talk.do("merge", video="Film")
    assert again["jobs"] == []
    assert [Path(film["path"]) for film in again["films"]] == films


async def test_what_is_done_is_not_made_and_paid_twice(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.clips()
    charged = talk.provider.charged
    again = await talk.do("generate_video", video="Film", scenes=["scene 1"])
    assert again["jobs"] == []
    assert again["skipped"][0]["why"].startswith("done, take 1; new_take=true")
    assert (await talk.do("generate_video", video="Film", missing=True))["jobs"] == []
    assert talk.provider.charged == charged
    another = await talk.do("generate_video", video="Film", scenes=[1], new_take=True)
    assert len(another["jobs"]) == 1


async def test_a_call_repeated_while_its_job_is_at_work_finds_that_job(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.looks_until_done = 10**9
    first = await talk.do("generate_video", video="Film", scenes=[1], new_take=True)
    questions = len(talk.person.questions)
    same = await talk.do("generate_video", video="Film", scenes=[1], new_take=True)
    assert same["jobs"][0]["job"] == first["jobs"][0]["job"]
    assert same["credits"] == 0
    assert len(talk.person.questions) == questions


async def test_a_batch_starts_what_is_ready_and_explains_the_rest(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.do(
        "add_scene", video="Film", scenes=[{"prompt": "Mai waves", "characters": ["Mai"]}]
    )
    started = await talk.do("generate_image", video="Film", scenes=[1, 2, 3])
    assert [job["what"] for job in started["jobs"]] == [
        "scene 1 VERTICAL image",
        "scene 2 VERTICAL image",
    ]
    assert started["not_ready"][0]["what"] == "scene 3 VERTICAL image"
    assert "generate_image with characters=['Mai']" in started["not_ready"][0]["why"]
    assert "wait(jobs=[" in started["next"]


async def test_nothing_ready_is_an_error_that_names_the_tool_to_call(talk: Talk) -> None:
    await talk.production(scenes=2)
    text = await talk.fail("generate_video", video="Film", missing=True)
    assert text.startswith("NOT_READY: scene 1 has no VERTICAL image to start from; scene 2 has no")
    assert "Call generate_image for scene 1" in text


async def test_the_view_tells_what_each_slot_holds(talk: Talk) -> None:
    await talk.production(scenes=2, orientation="VERTICAL")
    await talk.clips()
    await talk.do("edit_image", scene=1, video="Film", prompt="more fog")
    await talk.do("wait")
    seen = await talk.do("get_project", project="Fox")
    assert seen["cast"][0]["reference"] == "done take 1"
    assert seen["scenes"][0]["slots"] == {
        "VERTICAL": {"image": "done take 2", "video": "stale take 1", "upscale": "empty"}
    }
    assert seen["scenes"][1]["slots"]["VERTICAL"]["video"] == "done take 1"
    full = await talk.do("get_project", project="Fox", detail="full")
    image = full["scenes"][0]["slots"]["VERTICAL"]["image"]
    assert image["state"] == "done take 2"
    assert Path(image["path"]).is_file()

    text = await talk.fail("merge", video="Film")
    assert "the VERTICAL clip of scene 1 shows a picture no longer in use" in text
    assert "generate_video" in text and "select_take" in text
    back = await talk.do("select_take", take=1, scene=1, video="Film")
    assert back["slots"]["video"] == "done take 1"


async def test_the_view_names_the_first_steps_in_their_order(talk: Talk) -> None:
    await talk.do("create_project", name="Fox")
    seen = await talk.do("get_project", project="Fox")
    assert seen["next"].startswith("Call add_character for the cast and add_video(")
    await talk.do("add_character", project="Fox", characters=["Mai"])
    assert (await talk.do("get_project", project="Fox"))["next"].startswith("Call add_video(")


async def test_the_view_tells_a_job_under_way(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.looks_until_done = 10**9
    started = await talk.do("generate_video", video="Film", scenes=[1])
    number = started["jobs"][0]["job"]
    seen = await talk.do("get_project", project="Fox")
    assert seen["scenes"][0]["slots"]["VERTICAL"]["video"].startswith(f"job {number} ")


async def test_pictures_of_ones_own_take_the_places_of_made_ones(
    talk: Talk, tmp_path: Path
) -> None:
    file = tmp_path / "me.png"
    Image.new("RGB", (90, 160), "teal").save(file)
    await talk.production(scenes=1)
    kept = await talk.do("upload_image", path=str(file), character="Mai")
    assert kept["take"] == 1
    assert Path(kept["path"]).is_file()
    await talk.do("upload_image", path=str(file), scene=1, video="Film")
    seen = await talk.do("get_project", project="Fox")
    assert seen["cast"][0]["reference"] == "done take 1"
    assert seen["scenes"][0]["slots"]["VERTICAL"]["image"] == "done take 1"
    assert "full path" in await talk.fail("upload_image", path="me.png", character="Mai")
    text = await talk.fail("upload_image", path=str(tmp_path / "no.png"), character="Mai")
    assert text.startswith("NOT_FOUND: there is no file")


async def test_what_is_removed_leaves_its_media_in_the_library(talk: Talk) -> None:
    await talk.production(scenes=3)
    await talk.clips()
    made = [Path(job["path"]) for job in (await talk.do("list_jobs", show="ended"))["jobs"]]
    await talk.do("move_scene", scene=3, to=1, video="Film")
    await talk.do("remove", what="scene", which=2, video="Film")
    seen = await talk.do("get_project", project="Fox")
    assert [scene["prompt"] for scene in seen["scenes"]] == ["Mai does thing 3", "Mai does thing 2"]
    await talk.do("remove", what="character", which="Mai", project="Fox")
    await talk.do("remove", what="video", which="Film", project="Fox")
    seen = await talk.do("get_project", project="Fox")
    assert seen["cast"] == []
    assert seen["videos"] == []
    assert made
    assert all(file.is_file() for file in made)


async def test_texts_can_be_changed_and_projects_put_away(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.do("update_character", character="Mai", description="a blue fox")
    await talk.do("update_scene", scene=1, video="Film", prompt="Mai sleeps", characters=["Mai"])
    await talk.do("update_video", video="Film", title="Night", orientation="BOTH", tags=["fox"])
    await talk.do("update_project", project="Fox", style="oil")
    seen = await talk.do("get_project", project="fox", detail="full")
    assert seen["style"] == "oil"
    assert seen["cast"][0]["description"] == "a blue fox"
    assert seen["scenes"][0]["prompt"] == "Mai sleeps"
    assert seen["scenes"][0]["characters"] == ["Mai"]
    assert set(seen["scenes"][0]["slots"]) == {"VERTICAL", "HORIZONTAL"}
    await talk.do("update_scene", scene="scene 1", project="Fox", characters=[])
    seen = await talk.do("get_project", project="Fox")
    assert "characters" not in seen["scenes"][0]
    await talk.do("update_project", project="Fox", archived=True)
    assert (await talk.do("list_projects"))["projects"] == []
    assert len((await talk.do("list_projects", archived=True))["projects"]) == 1


async def test_a_character_stars_in_two_productions(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.do("create_project", name="Second")
    cast = await talk.do("add_character", project="Second", characters="Mai")
    assert cast["characters"][0]["is_new"] is False
    same = await talk.do("add_character", project="Second", characters=[{"name": "mai"}])
    assert same["characters"][0]["id"] == cast["characters"][0]["id"]
    text = await talk.fail(
        "add_character", project="Second", characters=[{"name": "Mai", "description": "a cat"}]
    )
    assert text.startswith("CONFLICT: there is a character 'Mai' already")


async def test_scenes_can_be_put_first_and_continue_one_another(talk: Talk) -> None:
    await talk.production(scenes=2)
    added = await talk.do(
        "add_scene",
        video="Film",
        after=0,
        scenes=[
            {"prompt": "Opening"},
            {"prompt": "Closer", "continues": "1"},
            {"prompt": "Her hand", "continues": "previous", "chain_type": "INSERT"},
        ],
    )
    assert [(one["scene"], one.get("continues")) for one in added["scenes"]] == [
        (1, None),
        (2, 1),
        (3, 2),
    ]
    text = await talk.fail(
        "add_scene", video="Film", scenes=[{"prompt": "a"}, {"prompt": "b", "continues": 17}]
    )
    assert text.startswith("NOT_FOUND: no scene 17")
    seen = await talk.do("get_project", project="Fox")
    assert len(seen["scenes"]) == 5  # all or none: "a" was not added
