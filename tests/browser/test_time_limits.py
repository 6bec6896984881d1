"""A page that never answers: every wait for it ends by itself, says what was sent, and nothing is made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chromium
import pytest
from chromium import reload
from playwright.async_api import Playwright, expect
from stage import CLIP, MINT, Stage, stage

from flowkit_mcp.domain.models import OperationState
from flowkit_mcp.simulator.site_hostile import script
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser

LIMIT = "export const MINT_LIMIT_MS = 40_000;"
HURRIED = "export let MINT_LIMIT_MS = 3_000; globalThis.patient = () => (MINT_LIMIT_MS = 40_000);"


def in_a_hurry(copy: Any) -> Any:
    """The extension with three seconds for a captcha token until `patient`, then forty; all else is as it is."""

    def hurried(to: Path, **more: Any) -> Path:
        copied = copy(to, **more)
        file = copied / "lib" / "captcha.js"
        text = file.read_text(encoding="utf-8")
        assert LIMIT in text
        file.write_text(text.replace(LIMIT, HURRIED), encoding="utf-8")
        return copied

    return hurried


def sent(at: Stage) -> int:
    return len([one for one in at.site.requests if CLIP[at.lane] in one.url])


async def test_a_captcha_that_never_comes_ends_the_wait_unsent_and_a_clean_page_makes_the_clip(
    tmp_path: Path, playwright: Playwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium, "copy_extension", in_a_hurry(chromium.copy_extension))
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        at.site.hostile = "captcha_never_settles"
        await reload(at.tab)
        job = await at.order_clip()
        assert await at.ended(job) is OperationState.VOID, "it never left"
        await expect(panel.locator("#trouble")).to_contain_text("no captcha token in time")
        assert sent(at) == 0 and not at.sim.ledger()
        at.site.hostile = None
        await (await at.browser.worker()).evaluate("patient()")
        await reload(at.tab)
        await at.kit.reopen()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_fetch_that_never_ends_is_given_up_as_unknown_and_nothing_is_sent_again(
    tmp_path: Path, playwright: Playwright, lane: Lane
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        await at.stop_server()
        table = {"batchexecute": "calls", "labs": "labs"}[lane]
        hasty = f'[{table}."video.text"]\nlimit_s = 2\n'
        at.settings.flow_facts.write_text(hasty, encoding="utf-8")
        await at.start_server()
        await at.kit.ready()
        hold = at.hold(MINT)
        job = await at.order_clip()
        await hold.reached.wait()
        panel = await at.browser.panel()
        await at.tab.evaluate(script("fetch_never_settles"))
        hold.release()
        await expect(panel.locator("#trouble")).to_contain_text("TIMEOUT")
        await reload(at.tab)  # Flow's own again, so that it can be looked up
        await at.kit.reopen()
        result = await at.result(job)
        assert str(result.error).startswith("OUTCOME_UNKNOWN: ")
        assert sent(at) == 0 and not at.sim.ledger()
