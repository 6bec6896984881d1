"""Each face of the storyboard: a picture for people, and what must hold on all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_pages import Windows, frame
from board_world import V, everything_at_once, images, world
from playwright.async_api import Page, expect

from flowkit_mcp import Project

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIZES = {"narrow": (360, 740), "chat": (760, 800), "desk": (1280, 860), "wide": (1920, 1080)}


async def check_for_all(page: Page, pictures: Path, name: str) -> None:
    await page.screenshot(path=pictures / f"storyboard-{name}.png", full_page=True)
    texts = await page.evaluate("() => seen.contrasts()")
    assert len(texts) >= 4
    # what stands on a picture has a ground of its own
    weak = [(text, round(ratio, 2)) for text, ratio in texts if ratio < 4.5]
    assert weak == [], name
    assert await page.evaluate("() => seen.sticksOut()") == [], name
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await page.evaluate(wide), name


async def test_every_state_is_told_in_words_at_every_size_by_day_and_night(
    tmp_path: Path, windows: Windows, pictures: Path
) -> None:
    async with world(tmp_path, scenes=6, both=True) as at:
        await everything_at_once(at)
        await images(at, 1, side=V)
        page = await windows.studio(at)
        said = {
            1: "Image take 1, clip take 2.",
            2: "Image take 1, clip under way",
            3: "Image take 2, clip stale.",
            4: "Image take 1, clip failed.",
            5: "Image take 1, clip needs you.",
            6: "Image not made yet, clip not made yet.",
        }
        for number, words in said.items():
            name = await frame(page, number).get_attribute("aria-label")
            assert name is not None and words in name
        await expect(page.locator(".notices")).to_contain_text("Scene 5, clip, needs you.")
        for dark in (False, True):
            await page.emulate_media(color_scheme="dark" if dark else "light")
            shade = "dark" if dark else "light"
            for size, (width, height) in SIZES.items():
                await page.set_viewport_size({"width": width, "height": height})
                await page.get_by_role("button", name="Wide").click()
                await check_for_all(page, pictures, f"wide-{size}-{shade}")
                await page.get_by_role("button", name="Tall").click()
                await check_for_all(page, pictures, f"tall-{size}-{shade}")
                await page.get_by_role("button", name="Wide").click()
                for number in (1, 4, 5):
                    await frame(page, number).click()
                    await page.get_by_role("tab", name="Clip").click()
                    await check_for_all(page, pictures, f"scene-{number}-{size}-{shade}")
                    await page.keyboard.press("Escape")
                    await expect(page.locator("#inspector")).to_be_hidden()


async def test_what_needs_its_person_is_decided_where_it_is_told(
    tmp_path: Path, windows: Windows
) -> None:
    async with world(tmp_path, scenes=6) as at:
        await everything_at_once(at)
        page = await windows.studio(at)
        await page.get_by_role("button", name="Look at it").click()
        await expect(page.get_by_role("tab", name="Clip needs you")).to_be_visible()
        await expect(page.get_by_role("button", name="Make the clip")).to_have_attribute(
            "aria-disabled", "true"
        )
        spent = at.provider.charged
        await page.get_by_role("button", name="Send it again").click()
        question = page.get_by_role("dialog", name="Spend 12 credits in Google Flow?")
        await expect(question).to_contain_text("the first may be charged too")
        await question.get_by_role("button", name="Not now").click()
        await page.get_by_role("button", name="Give up").click()
        await expect(page.get_by_role("tab", name="Clip failed")).to_be_visible()
        assert at.provider.charged == spent


async def test_an_empty_video_and_an_empty_library_say_how_it_begins(
    tmp_path: Path, windows: Windows, pictures: Path
) -> None:
    async with world(tmp_path, scenes=0) as at:
        page = await windows.studio(at)
        await expect(page.get_by_role("heading", name="No scenes yet")).to_be_visible()
        await check_for_all(page, pictures, "empty")
        await at.video.remove()
        await page.reload()
        await expect(page.locator("main")).to_contain_text("has no video yet")
        project = await Project.get(at.kit, at.project)
        await project.update(status="ARCHIVED")
        await page.reload()
        await expect(page.locator("main")).to_contain_text("Tell your agent a story")


async def test_a_studio_that_has_ended_is_told_of(tmp_path: Path, windows: Windows) -> None:
    async with world(tmp_path, scenes=1) as at:
        page = await windows.studio(at)
        staying = at.visitors.pop_all()
    await expect(page.locator(".notices")).to_contain_text(
        "run flowkit-mcp studio again", timeout=30_000
    )
    windows.meant.append("ERR_CONNECTION_REFUSED")
    await staying.aclose()
