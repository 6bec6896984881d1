"""The open panel, and the worker behind it as the test plays it (fake_worker.js)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from panel_states import NOW, State
from playwright.async_api import Browser, Page

FAKE = Path(__file__).parent / "fake_worker.js"
SEEN = (Path(__file__).parent / "seen.js").read_text(encoding="utf-8")
DEFAULT_SIZE = (360, 760)


class Panel:
    """The open panel and the worker behind it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type in {"error", "warning"}
                else None
            ),
        )

    async def tell(self, state: State) -> None:
        """The worker's state has changed."""
        await self.page.evaluate(
            "state => { worker.first = {type: 'state', state}; worker.say(worker.first); }", state
        )

    async def say(self, message: dict[str, Any]) -> None:
        await self.page.evaluate("message => worker.say(message)", message)

    async def leave(self) -> None:
        """The worker stops, and does not come back until `come_back`."""
        await self.page.evaluate("() => { worker.here = false; worker.stop(); }")

    async def come_back(self) -> None:
        await self.page.evaluate("() => { worker.here = true; }")
        await self.page.clock.run_for(6000)

    async def heard(self) -> list[dict[str, Any]]:
        """What the panel has asked of the worker since the last look."""
        return await self.page.evaluate("() => worker.heard.splice(0)")

    async def headline(self) -> str:
        return (await self.page.locator("#headline").inner_text()).strip()


class OpenPanel:
    """Opens panels and, at the end of the test, expects that no page has complained."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._open: list[Panel] = []

    async def __call__(
        self,
        state: State | None,
        *,
        size: tuple[int, int] = DEFAULT_SIZE,
        dark: bool = False,
        scale: float = 1,
        frozen_clock: bool = True,
        **context: Any,
    ) -> Panel:
        """`frozen_clock`: the page's clock stands at NOW, and timers run only when the test moves it."""
        made = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            device_scale_factor=scale,
            locale="en-GB",
            timezone_id="UTC",
            **context,
        )
        page = await made.new_page()
        page.set_default_timeout(30_000)
        if frozen_clock:
            await page.clock.install(time=NOW / 1000 - 3600)  # it runs until it is paused
            await page.clock.pause_at(NOW / 1000 + 1)
        await page.add_init_script(path=FAKE)
        panel = Panel(page)
        self._open.append(panel)
        await page.goto(self._url)
        await page.evaluate(SEEN)
        if state is not None:
            await panel.tell(state)
        return panel

    async def close(self) -> list[str]:
        complaints = [line for panel in self._open for line in panel.complaints]
        for panel in self._open:
            await panel.page.context.close()
        return complaints
