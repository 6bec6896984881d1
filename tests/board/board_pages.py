"""Browser windows on a storyboard, and what a person does in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from board_world import World
from playwright.async_api import Browser, FrameLocator, Locator, Page, expect

SEEN = (Path(__file__).parents[1] / "panel/seen.js").read_text(encoding="utf-8")
LIMIT_MS = 15_000
expect.set_options(timeout=LIMIT_MS)


class Windows:
    """Opens pages and, at the end of the test, tells what they complained of."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: list[Page] = []
        self.complaints: list[str] = []
        #: Parts of complaints that a test brings about.
        self.meant: list[str] = []

    async def page(self, *, size: tuple[int, int] = (1280, 860), dark: bool = False) -> Page:
        context = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(LIMIT_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self._pages.append(page)
        return page

    async def studio(self, at: World, **kind: Any) -> Page:
        """A browser that the studio has let in, once the board is there."""
        page = await self.page(**kind)
        at.visitors.push_async_callback(page.context.close)
        await page.goto(at.studio.link)
        await expect(page.locator("h1")).to_have_text(at.video.title)
        await page.evaluate(SEEN)
        return page

    async def close(self) -> list[str]:
        for page in self._pages:
            await page.context.close()
        return [one for one in self.complaints if not any(part in one for part in self.meant)]


def frame(page: Page | FrameLocator, number: int) -> Locator:
    """The picture of a scene on the board."""
    return page.get_by_role("button", name=re.compile(rf"^Scene {number}:"))


async def order(page: Page | FrameLocator) -> list[str]:
    """The first word of each scene's prompt, as they stand on the board."""
    prompts = await page.locator(".card .prompt").all_inner_texts()
    return [prompt.split()[0] for prompt in prompts]


async def tab_to(page: Page, target: Locator, *, most: int = 60) -> None:
    """With the Tab key alone."""
    for _ in range(most):
        if await target.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {target}")
