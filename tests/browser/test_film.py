"""A whole production through a real Chromium, in both lanes, and what is left lying about afterwards: no secret."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from playwright.async_api import Playwright, expect
from stage import Stage, stage
from websockets.asyncio.connection import Connection

from flowkit_mcp import Orientation, Project
from flowkit_mcp.media.probe import probe
from flowkit_mcp.sdk.jobs import GenerationResult
from flowkit_mcp.server.server import build
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser

H = Orientation.HORIZONTAL
#: What the worker itself writes for a bug report, before the panel has looked it over.
DIAGNOSTICS = """() => new Promise((resolve) => {
    const port = chrome.runtime.connect({ name: 'panel' });
    port.onMessage.addListener(({ type, text }) => type === 'diagnostics' && resolve(text));
    port.postMessage({ type: 'diagnostics' });
})"""


def good(result: GenerationResult) -> GenerationResult:
    assert result.success, result.error
    return result


class Secrets:
    """Everything of a run that must not leave the browser, gathered where it is made."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._tokens: list[str] = []
        mint = sim.service.captcha.mint

        def noted(*args: Any, **more: Any) -> str:
            self._tokens.append(mint(*args, **more))
            return self._tokens[-1]

        sim.service.captcha.mint = noted

    def by_kind(self) -> dict[str, list[str]]:
        service = self._sim.service
        bearer = service.bearers.current(service.account().name, 60)
        return {
            "captcha token": self._tokens,
            "cookie": list(service.state.sessions),
            "bearer": [bearer],
            "page value": [session.at for session in service.state.sessions.values()],
        }


def holding(folder: Path, secret: bytes) -> list[str]:
    """The files below a folder that hold these bytes."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and secret in path.read_bytes()
    ]


async def produce(at: Stage) -> None:
    """Cast, two scenes in a chain, an edit, two clips, one of them larger, and the film."""
    project = await Project.create(at.kit, "Harbour", style="storybook")
    mai = await project.add_character("Mai", description="a girl in a yellow coat")
    good(await mai.execute_generate_image(project.id))
    video = await project.add_video("Harbour")
    first = await video.add_scene("Mai at the pier", characters=["Mai"])
    second = await video.add_scene("Mai looks up", characters=["Mai"], continues=1)
    for one in (first, second):
        good(await one.execute_generate_image(H))
    good(await second.execute_edit_image(H, "make it rain"))
    clips = [good(await one.execute_generate_video(H, duration_s=4)) for one in (first, second)]
    larger = good(await first.execute_upscale_video(H))
    assert larger.media_id == f"{clips[0].media_id}_upsampled"
    film = good(await video.execute_merge(H))
    assert film.path is not None
    shape = await probe(film.path)
    assert shape.duration_ms == pytest.approx(1000, abs=100), (
        "two clips as the quick renderer makes them"
    )


async def told_to_models(at: Stage) -> str:
    """All that an MCP client would be told of this production, and what it is told when it asks for too much."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("status", {"detail": "full"}),
        ("list_projects", {}),
        ("get_project", {"project": "Harbour", "detail": "full"}),
        ("list_jobs", {}),
        ("check_plan", {"video": "Harbour"}),
        ("flow_library", {"action": "list_projects"}),
        ("merge", {"video": "Harbour", "dry_run": True}),
        ("upload", {"video": "Harbour"}),
        ("get_project", {"project": "../pairing.json"}),
        ("resolve_job", {"job": "1", "action": "attach", "media_id": "x"}),
    ]
    async with Client(build(at.kit.settings, kit=at.kit), mode="auto") as client:
        tools = await client.list_tools()
        answers = [await client.call_tool(name, arguments) for name, arguments in asked]
    assert sum(not answer.is_error for answer in answers) >= 6, answers
    return "\n".join([tools.model_dump_json(), *(answer.model_dump_json() for answer in answers)])


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_film_and_no_secret_left_behind(
    tmp_path: Path,
    playwright: Playwright,
    lane: Lane,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    traffic: list[str] = []
    _overhear(monkeypatch, traffic)
    async with stage(tmp_path, playwright, lane=lane) as at:
        secrets = Secrets(at.sim)
        await produce(at)
        assert (await at.kit.status()).spent_credits == at.sim.charged > 0
        at.check_books(2)
        await expect(at.tab.locator("#account")).to_have_text("demo")
        instance = at.instance
        found = secrets.by_kind()
        panel = await at.browser.panel()
        shown = await panel.locator("body").inner_text() + await panel.evaluate(DIAGNOSTICS)
        told = await told_to_models(at)
    found["pairing code"] = [at.code, at.code.rpartition(".")[2]]
    profile, library = tmp_path / "profile", tmp_path / "library"
    assert len(found["captcha token"]) >= 7
    assert "link: connected" in shown, "the diagnostics are among what is looked through"
    assert holding(profile, instance.encode()), "the scan reads the right files"
    assert any(instance in frame for frame in traffic)
    for kind, values in found.items():
        for value in values:
            text = value.encode()
            assert not holding(profile, text), kind
            assert not [
                name for name in holding(library, text) if not name.endswith("pairing.json")
            ], kind
            assert not [frame for frame in traffic if value in frame], kind
            assert value not in caplog.text, kind
            assert value not in shown, kind
            assert value not in told, kind
    signed = re.compile(r"Signature=[0-9a-f]{16}")
    assert not signed.search(told), "nor what a model is told"
    assert not signed.search(caplog.text), "nor a signed address in a log"
    assert any(signed.search(frame) for frame in traffic), "which the traffic does hold"
    keys = json.loads(at.settings.pairing_file.read_text(encoding="utf-8"))["profiles"]
    key = keys[instance]["key"]
    assert not holding(profile, key.encode())
    assert not [frame for frame in traffic if key in frame]
    assert key not in caplog.text


def _overhear(monkeypatch: pytest.MonkeyPatch, traffic: list[str]) -> None:
    """Both directions of every socket in this process: the bridge's."""
    send, receive = Connection.send, Connection.recv

    async def sent(self: Connection, message: Any, **more: Any) -> None:
        traffic.append(str(message))
        await send(self, message, **more)

    async def received(self: Connection, **more: Any) -> Any:
        message = await receive(self, **more)
        traffic.append(str(message))
        return message

    monkeypatch.setattr(Connection, "send", sent)
    monkeypatch.setattr(Connection, "recv", received)
