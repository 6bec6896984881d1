"""Each face of the panel: a picture for people, and what must hold on all of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from panel_hostile import HOSTILE
from panel_states import FACES, README
from panel_world import OpenPanel, Panel
from PIL import Image
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DOCS = Path(__file__).parents[2] / "docs"
SHADES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Part of the headline, then of what the panel says in another place.
SAID = {
    "unpaired": ("Not paired yet", "flowkit-mcp pair"),
    "connecting": ("Looking for FlowKit", "port 47815"),
    "server-down": ("FlowKit is not running on port 47815", "flowkit-mcp worker"),
    "refused": ("Not connected to FlowKit", "Another program answers on port 47815"),
    "standby": ("Standing by", "takes over"),
    "connected": ("Connected to FlowKit", "Ask your agent for a scene"),
    "simulated": ("Connected to FlowKit", "no real credits"),
    "working": ("Connected to FlowKit", "Sent to Flow, waiting for the answer"),
    "asking": ("Connected to FlowKit", "Your answer, please"),
    "paused": ("Paused", "No paid call leaves this browser"),
    "newcomer": ("Not paired yet", "flowkit-mcp pair"),
    "signed-out": ("Connected to FlowKit", "Sign in in the Flow tab."),
    "no-tab": ("Connected to FlowKit", "No Flow tab is open"),
    "loading": ("Connected to FlowKit", "It waits for Flow's tab."),
    "silent": ("Connected to FlowKit", "The Flow tab does not answer."),
    "frozen": ("Connected to FlowKit", "put the Flow tab to sleep"),
    "discarded": ("Connected to FlowKit", "unloaded the Flow tab to save memory"),
    "not-served": ("Connected to FlowKit", "Open Flow at labs.google"),
    "outdated": ("Connected to FlowKit", "Reload the Flow tab."),
    "no-permission": ("Connected to FlowKit", "does not let this extension see flow.google.com"),
    "needs-person": ("Connected to FlowKit", "complete the check there"),
    "other-account": ("Connected to FlowKit", "If this one is to pay from now on"),
    "other-account-asking": ("Connected to FlowKit", "The last paid work was done as m…@gmail.com"),
    "needs-permission": ("Connected to FlowKit", "https://aisandbox-pa.googleapis.com"),
    "error": ("Connected to FlowKit", "no captcha token within 40 s"),
    "held-back": ("Connected to FlowKit", "Nothing new is sent: Flow asked"),
}


async def settle(panel: Panel) -> None:
    """Buttons of new questions have become live, and movements have ended."""
    await panel.page.clock.run_for(1000)
    await panel.page.evaluate(
        "() => Promise.all(document.getAnimations().map(each => each.finished))"
    )


async def check_for_all(panel: Panel) -> None:
    texts = await panel.page.evaluate("() => seen.contrasts()")
    assert len(texts) >= 4
    weak = [(text, round(ratio, 2)) for text, ratio in texts if ratio < 4.5]
    assert not weak
    assert await panel.page.evaluate("() => seen.sticksOut()") == []
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await panel.page.evaluate(wide)


async def check_and_picture(panel: Panel, shade: Literal["light", "dark"], path: Path) -> None:
    await panel.page.emulate_media(color_scheme=shade)
    await panel.page.evaluate(
        "() => Promise.all(document.getAnimations().map(each => each.finished))"
    )
    await check_for_all(panel)
    await panel.page.screenshot(path=path)


@pytest.mark.parametrize("face", FACES)
async def test_each_face_says_what_is_so_and_can_be_read_by_day_and_by_night(
    face: str, open_panel: OpenPanel, pictures: Path
) -> None:
    panel = await open_panel(FACES[face])
    headline, elsewhere = SAID[face]
    assert headline in await panel.headline()
    assert elsewhere in await panel.page.locator("body").inner_text()
    await settle(panel)
    height = await panel.page.evaluate("() => document.documentElement.scrollHeight")
    await panel.page.set_viewport_size({"width": 360, "height": max(480, height)})
    for shade in SHADES:
        await check_and_picture(panel, shade, pictures / f"panel-{face}-{shade}.png")


@pytest.mark.parametrize("face", ["unpaired", "refused", "working", "asking", "error", "hostile"])
async def test_no_width_makes_the_panel_scroll_sideways(
    face: str, open_panel: OpenPanel, pictures: Path
) -> None:
    panel = await open_panel(FACES.get(face, HOSTILE))
    for fold in ("#log", "#about"):
        if await panel.page.locator(fold).is_visible():
            await panel.page.locator(f"{fold} > summary").click()
    for width in (320, 480, 800):
        await panel.page.set_viewport_size({"width": width, "height": 700})
        await settle(panel)
        await check_for_all(panel)
        await panel.page.evaluate("() => scrollTo(0, 0)")
        await panel.page.screenshot(path=pictures / f"panel-{face}-{width}.png")


async def test_folds_dialogs_and_a_worker_that_is_gone_can_be_read_too(
    open_panel: OpenPanel, pictures: Path
) -> None:
    panel = await open_panel(FACES["working"], size=(360, 1300))
    for fold in ("#log", "#about"):
        await panel.page.locator(f"{fold} > summary").click()
    await settle(panel)
    for shade in SHADES:
        await check_and_picture(panel, shade, pictures / f"panel-open-{shade}.png")

    await panel.page.get_by_role("button", name="Unpair…").click()
    await settle(panel)
    for shade in SHADES:
        await check_and_picture(panel, shade, pictures / f"panel-unpair-{shade}.png")
    await panel.page.keyboard.press("Escape")

    await panel.page.set_viewport_size({"width": 360, "height": 700})
    await panel.page.evaluate("() => scrollTo(0, 9999)")
    await panel.leave()
    await settle(panel)
    await expect(panel.page.locator("#headline")).to_be_in_viewport()  # although scrolled down
    await panel.page.evaluate("() => scrollTo(0, 0)")
    for shade in SHADES:
        await check_and_picture(panel, shade, pictures / f"panel-gone-{shade}.png")


async def test_the_picture_in_the_readme_is_the_panel_at_work_and_asking(
    open_panel: OpenPanel, pictures: Path
) -> None:
    """docs/panel.png is this picture, made where the typeface Inter stands for the system's own."""
    width, height = 720, 1520
    both = Image.new("RGB", (2 * width, height))
    for place, (state, dark) in enumerate(zip(README, (False, True), strict=True)):
        panel = await open_panel(state, size=(width // 2, height // 2), scale=2, dark=dark)
        await settle(panel)
        with Image.open(BytesIO(await panel.page.screenshot())) as half:
            both.paste(half, (place * width, 0))
    few = both.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(pictures / "panel-readme.png", optimize=True)
    with Image.open(DOCS / "panel.png") as shown:
        assert shown.size == both.size
    assert (DOCS / "panel.png").stat().st_size < 150_000


async def test_nothing_moves_for_people_who_asked_for_that(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["server-down"], reduced_motion="reduce")
    await panel.tell(FACES["connected"])
    assert await panel.page.evaluate("() => document.getAnimations().length") == 0
