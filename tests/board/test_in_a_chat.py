"""The storyboard as an MCP App, behind the official host bridge, in both protocol eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from board_pages import Windows, frame, order
from board_world import H, World, clips, images, references, world
from chat_world import Chat, open_chat
from playwright.async_api import expect
from talk import talking

from flowkit_mcp.domain.models import Stage

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.asyncio(loop_scope="session")]
ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])


@asynccontextmanager
async def chatting(
    at: World,
    windows: Windows,
    host_script: str,
    era: str = "auto",
    *,
    can_ask: bool = True,
    theme: str = "light",
) -> AsyncGenerator[Chat]:
    async with talking(at.kit, at.provider, era, can_ask=can_ask) as talk:
        yield await open_chat(windows, host_script, talk, theme=theme)


async def clip_takes(at: World, number: int) -> int:
    return len(await (await at.scene(number)).takes(H, Stage.VIDEO))


@ERAS
async def test_get_project_shows_the_scenes_with_their_pictures(
    tmp_path: Path, windows: Windows, host_script: str, era: str
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1, 2)
        async with chatting(at, windows, host_script, era) as chat:
            tools = (await chat.talk.client.list_tools()).tools
            (bound,) = [tool for tool in tools if tool.name == "get_project"]
            assert bound.meta == {"ui": {"resourceUri": "ui://flowkit/storyboard"}}
            await chat.shows("get_project", {"project": "The Light at Gull Point"})
            await expect(chat.app.locator("h1")).to_have_text("A Light for the Little Boat")
            assert await order(chat.app) == ["Dusk", "A", "Night"]
            shown = frame(chat.app, 1).locator("img")
            await expect(shown).to_be_visible()
            assert await shown.evaluate("node => node.naturalWidth") == 96
            await expect(frame(chat.app, 3).locator("img")).to_have_count(0)
            await chat.fits()


@ERAS
async def test_what_costs_is_asked_by_the_client_of_the_chat(
    tmp_path: Path, windows: Windows, host_script: str, era: str
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        async with chatting(at, windows, host_script, era) as chat:
            chat.talk.person.answer = "decline"
            await chat.shows("get_project", {"project": at.project})
            await frame(chat.app, 1).click()
            await chat.app.get_by_role("tab", name="Clip").click()
            make = chat.app.get_by_role("button", name="Make the clip")
            await make.click()
            await expect(chat.app.get_by_role("status")).to_contain_text("nothing was spent")
            assert await clip_takes(at, 1) == 0
            chat.talk.person.answer = "accept"
            await make.click()
            await expect(
                chat.app.get_by_role("button", name="Take 1, in use, 12 credits")
            ).to_be_visible()
            assert at.provider.charged == 12
            assert [question.split("?")[0] for question in chat.talk.person.questions] == [
                "Spend 12 credits in Google Flow"
            ] * 2
            await chat.model_hears("In the storyboard the person: asked for the clip of Scene 1.")


@ERAS
async def test_a_client_that_cannot_ask_leaves_the_question_to_the_page(
    tmp_path: Path, windows: Windows, host_script: str, era: str
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        async with chatting(at, windows, host_script, era, can_ask=False) as chat:
            await chat.shows("get_project", {"project": at.project})
            await frame(chat.app, 1).click()
            await chat.app.get_by_role("tab", name="Clip").click()
            make = chat.app.get_by_role("button", name="Make the clip")
            await make.click()
            question = chat.app.get_by_role("dialog", name="Spend 12 credits in Google Flow?")
            await expect(question).to_contain_text("In all 12 credits; balance 1000")
            await question.get_by_role("button", name="Not now").click()
            await expect(chat.app.get_by_role("status")).to_contain_text("nothing was spent")
            assert at.provider.charged == 0
            await make.click()
            await question.get_by_role("button", name="Spend 12 credits").click()
            await expect(
                chat.app.get_by_role("button", name="Take 1, in use, 12 credits")
            ).to_be_visible()
            assert at.provider.charged == 12


async def test_the_board_is_live_and_a_look_that_finds_nothing_new_is_small(
    tmp_path: Path, windows: Windows, host_script: str
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        async with chatting(at, windows, host_script) as chat:
            await chat.shows("get_project", {"project": at.project})
            await expect(frame(chat.app, 1).locator("img")).to_have_count(0)
            await images(at, 1)  # by somebody else
            await expect(frame(chat.app, 1).locator("img")).to_be_visible()
            seen, mark = "", ""
            async with asyncio.timeout(30):
                while "unchanged" not in seen:  # until nothing happens between two looks
                    uri = f"flowkit://storyboard/{at.video.id}?mark={mark}"
                    (found,) = (await chat.talk.client.read_resource(uri)).contents
                    seen = found.text  # type: ignore[union-attr]
                    mark = json.loads(seen)["mark"]
            assert len(seen) < 60
            assert "wait" not in await chat.called(), "looking is no tool call"


@pytest.mark.parametrize("named", [{}, {"project": "The Light at Gull Point"}])
async def test_review_shows_it_too(
    tmp_path: Path, windows: Windows, host_script: str, named: dict[str, str]
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        await clips(at, 1)
        async with chatting(at, windows, host_script) as chat:
            tools = (await chat.talk.client.list_tools()).tools
            (bound,) = [tool for tool in tools if tool.name == "review"]
            assert bound.meta == {"ui": {"resourceUri": "ui://flowkit/storyboard"}}
            await chat.shows("review", {"video": "A Light for the Little Boat", **named})
            await expect(frame(chat.app, 1)).to_contain_text("0.5 s")


async def test_scenes_are_reordered_and_the_model_is_told(
    tmp_path: Path, windows: Windows, host_script: str
) -> None:
    async with world(tmp_path) as at:
        async with chatting(at, windows, host_script) as chat:
            await chat.shows("get_project", {"project": at.project})
            await chat.app.get_by_role("button", name="Move scene 1").focus()
            for key in ("Space", "End", "Space"):
                await chat.page.keyboard.press(key)
            await expect(chat.app.locator("#heard")).to_have_text("Scene 1 is now scene 3.")
            await expect(frame(chat.app, 3)).to_have_accessible_name(
                "Scene 3: Dusk at Gull Point: Mira and Tock have lit the lamp and look out over the sea. "
                "Image not made yet, clip not made yet."
            )
            await chat.model_hears("In the storyboard the person: moved scene 1 to place 3.")


async def test_the_hosts_theme_is_kept_whatever_the_machine_prefers(
    tmp_path: Path, windows: Windows, host_script: str
) -> None:
    async with world(tmp_path) as at:
        await references(at)
        await images(at, 1)
        await clips(at, 1)
        async with chatting(at, windows, host_script, theme="dark") as chat:
            await chat.shows("get_project", {"project": at.project})
            paper = "node => getComputedStyle(node).backgroundColor"
            body = chat.app.locator("body")
            await expect(frame(chat.app, 1)).to_be_visible()
            assert await body.evaluate(paper) == "rgb(18, 19, 20)"
            await chat.page.evaluate("bridge.setHostContext({ theme: 'light' })")
            await expect(body).to_have_css("background-color", "rgb(240, 240, 238)")
            await chat.app.get_by_role("button", name="Full screen").click()
            await expect(chat.app.locator("html")).to_have_attribute("data-mode", "fullscreen")
            await chat.app.get_by_role("button", name="Back to the chat").click()
            await expect(chat.app.locator("html")).to_have_attribute("data-mode", "inline")


async def test_a_host_without_resources_is_told_where_to_look(
    tmp_path: Path, windows: Windows, host_script: str
) -> None:
    async with world(tmp_path) as at, talking(at.kit, at.provider, "auto") as talk:
        chat = await open_chat(windows, host_script, talk, resources=False)
        await chat.shows("get_project", {"project": at.project})
        await expect(chat.app.locator("main")).to_contain_text("Run flowkit-mcp studio")
