"""A person in the studio: reordering, choosing, spending, by hand and by keyboard; and what a page must not do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from board_pages import Windows, frame, order, tab_to
from board_world import H, World, clips, done, images, references, world
from playwright.async_api import expect

from flowkit_mcp import Project
from flowkit_mcp.domain.models import Stage
from flowkit_mcp.sdk.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def stored(at: World) -> list[str]:
    return [scene.row.prompt.split()[0] for scene in await at.video.get_scenes()]


async def reordered(at: World, wanted: list[str]) -> None:
    version = await at.kit.db.version()
    async with asyncio.timeout(15):
        while await stored(at) != wanted:
            version = await at.kit.db.changed(version, 5)


async def takes(at: World, number: int, stage: Stage) -> int:
    return len(await (await at.scene(number)).takes(H, stage))


async def test_scenes_are_reordered_by_keyboard_alone(tmp_path: Path, windows: Windows) -> None:
    async with world(tmp_path) as at:
        page = await windows.studio(at)
        grip = page.get_by_role("button", name="Move scene 1")
        await tab_to(page, grip)
        await page.keyboard.press("Space")
        await expect(page.locator("#heard")).to_contain_text("Scene 1 is lifted")
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#heard")).to_have_text("Place 2 of 3")
        assert await order(page) == ["A", "Dusk", "Night"]
        assert await stored(at) == ["Dusk", "A", "Night"], "nothing is moved before it is put down"
        await page.keyboard.press("End")
        await page.keyboard.press("Space")
        await reordered(at, ["A", "Night", "Dusk"])
        await expect(page.get_by_role("button", name="Move scene 3")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Home")
        await page.keyboard.press("Escape")
        await expect(page.locator("#heard")).to_contain_text("back where it was")
        assert await order(page) == ["A", "Night", "Dusk"] == await stored(at)


async def test_scenes_are_reordered_with_the_mouse(tmp_path: Path, windows: Windows) -> None:
    async with world(tmp_path) as at:
        page = await windows.studio(at)
        await expect(page.locator(".card")).to_have_count(3)
        first, last = await frame(page, 1).bounding_box(), await frame(page, 3).bounding_box()
        assert first is not None and last is not None
        await page.mouse.move(first["x"] + 60, first["y"] + 60)
        await page.mouse.down()
        await page.mouse.move(first["x"] + 90, first["y"] + 60, steps=3)
        await page.mouse.move(last["x"] + last["width"] / 2, last["y"] + 60, steps=8)
        await page.mouse.up()
        await reordered(at, ["A", "Night", "Dusk"])
        await expect(page.locator("#inspector")).to_be_hidden()  # a drag is no click


async def test_a_clip_is_made_anew_by_keyboard_and_only_once_approved(
    tmp_path: Path, windows: Windows
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        await clips(at, 1)
        spent = at.provider.charged
        page = await windows.studio(at)
        await tab_to(page, frame(page, 1))
        await page.keyboard.press("Enter")
        again = page.get_by_role("button", name="New take of the clip")
        await expect(again).to_have_text("New take of the clip12 credits")
        await expect(again).not_to_have_attribute("aria-disabled", "true")
        await tab_to(page, again)
        await page.keyboard.press("Enter")
        question = page.get_by_role("dialog", name="Spend 12 credits in Google Flow?")
        await expect(question).to_contain_text("scene 1 horizontal clip: 12 credits")
        # Enter at once is a no: a person who hurries does not pay
        await expect(page.get_by_role("button", name="Not now")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("nothing was spent")
        await expect(again).not_to_have_attribute("aria-disabled", "true")
        await tab_to(page, again)
        await page.keyboard.press("Enter")
        await expect(question).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(question).to_be_hidden()
        await expect(again).to_be_focused()
        assert (at.provider.charged, await takes(at, 1, Stage.VIDEO)) == (spent, 1)
        await expect(again).not_to_have_attribute("aria-disabled", "true")
        await tab_to(page, again)
        await page.keyboard.press("Enter")
        await expect(question).to_be_visible()
        await tab_to(page, page.get_by_role("button", name="Spend 12 credits"))
        await page.keyboard.press("Enter")
        # and the page tells of the new take by itself
        await expect(page.get_by_role("button", name="Take 2, in use, 12 credits")).to_be_visible()
        assert at.provider.charged == spent + 12


async def test_nobody_but_the_person_answers_what_costs(tmp_path: Path, windows: Windows) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        spent = at.provider.charged
        page = await windows.studio(at)
        post = """async ([path, body]) => {
            const headers = {'content-type': 'application/json'};
            const answer = await fetch(path, {method: 'POST', headers, body: JSON.stringify(body)});
            return [answer.status, await answer.text()];
        }"""
        scene = (await at.scene(1)).id
        asked = {
            "name": "generate_video",
            "arguments": {"scenes": [scene], "approval": "q-00000000"},
        }
        status, text = await page.evaluate(post, ["/call", asked])
        assert status == 200
        assert "Spend 12 credits" in text, "an invented approval is no approval"
        status, text = await page.evaluate(post, ["/answer", {"id": "nonsense", "accept": True}])
        assert status == 409
        status, text = await page.evaluate(post, ["/call", {"name": "upload", "arguments": {}}])
        assert status == 400, "what a storyboard does not do is not called from one"
        assert at.provider.charged == spent
    windows.meant += ["status of 400", "status of 409"]


async def test_another_take_is_chosen_and_what_hangs_on_it_becomes_stale(
    tmp_path: Path, windows: Windows
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        await clips(at, 1)
        await done(await (await at.scene(1)).generate_image(H, new_take=True))
        page = await windows.studio(at)
        await expect(frame(page, 1)).to_contain_text("Clip stale")
        await frame(page, 1).click()
        await page.get_by_role("tab", name="Image").click()
        await page.get_by_role("button", name="Take 1, free").click()
        await expect(page.get_by_role("button", name="Take 1, in use, free")).to_be_visible()
        await expect(frame(page, 1)).not_to_contain_text("stale")
        slots = await (await at.scene(1)).slots()
        assert slots[H, Stage.IMAGE].take_number == 1
        assert slots[H, Stage.VIDEO].filled


async def test_the_missing_are_made_in_turn_and_seen_while_they_are(
    tmp_path: Path, windows: Windows
) -> None:
    async with world(tmp_path, scenes=2) as at:
        page = await windows.studio(at)
        await page.get_by_role("button", name="Make 4 missing pictures").click()
        await page.get_by_role("button", name="Make 1 missing picture").click()
        await page.get_by_role("button", name="Make 2 missing clips").click()
        await page.get_by_role("button", name="Spend 24 credits").click()
        await expect(page.locator(".facts")).to_contain_text("2 of 2 clips")
        await expect(page.locator(".facts")).to_contain_text("24 credits spent")
        clip = page.locator("video")
        await frame(page, 1).click()
        await clip.evaluate(
            "node => new Promise((done, fail) => { node.onloadeddata = done; node.onerror = fail; node.load(); })"
        )
        assert await clip.evaluate("node => node.videoWidth") > 0, "the clip plays here"


async def test_a_picture_is_changed_in_words(tmp_path: Path, windows: Windows) -> None:
    async with world(tmp_path) as at:
        await references(at)
        page = await windows.studio(at)
        await page.get_by_role("button", name="Mira, reference take 1").click()
        await page.get_by_label("Change this picture").fill("a blue raincoat")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Take 2, in use, free")).to_be_visible()
        assert at.provider.ledger[-1].brief.prompt == "a blue raincoat"


async def test_texts_of_others_stay_texts(tmp_path: Path, windows: Windows) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    async with world(tmp_path, scenes=1) as at:
        project = await Project.get(at.kit, at.project)
        await project.update(name=f"P {evil}")
        await at.video.update(title=f"V {evil}")
        at.video.row = (await project.get_videos())[0].row
        scene: Scene = await at.scene(1)
        await scene.update(prompt=f"{evil} </script></style>", narration=evil)
        await project.add_character(f"C {evil}"[:80])
        page = await windows.studio(at)
        await frame(page, 1).click()
        await expect(page.locator(".script")).to_contain_text(evil)
        assert await page.locator("img:not([src^='/picture/'])").count() == 0
        assert await page.locator("#page script").count() == 0
        assert await page.title() == f"V {evil}, storyboard"
