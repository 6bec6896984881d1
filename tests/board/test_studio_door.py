"""Who may come into the studio. Not a browser's business, but a socket's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from board_world import World, images, references, world
from mcp import Client

OURS = {"sec-fetch-site": "same-origin"}


def address(at: World) -> str:
    return at.studio.link.partition("/?")[0]


@asynccontextmanager
async def let_in(at: World) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=address(at), trust_env=False) as client:
        answer = await client.get(at.studio.link)
        assert answer.status_code == 200
        yield client


async def test_the_link_lets_one_browser_in_once(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        link = at.studio.link
        async with httpx2.AsyncClient(trust_env=False) as stranger:
            for guess in ("guessed", "", "%C3%A9", "%00"):
                tried = await stranger.get(f"{address(at)}/?token={guess}")
                assert tried.status_code == 403
            assert (await stranger.get(f"{address(at)}/")).status_code == 403
            async with let_in(at) as client:
                cookie = client.cookies.jar
                (session,) = list(cookie)
                assert session.has_nonstandard_attr("HttpOnly")
                assert session.get_nonstandard_attr("SameSite").lower() == "strict"
                shown = await client.get("/")
                assert shown.status_code == 200
                again = await stranger.get(link)
                assert again.status_code == 403
                assert "run flowkit-mcp studio again" in again.text
                assert (await client.get(link)).status_code == 403, "not even for the same browser"


async def test_nothing_runs_in_the_page_but_its_own_script(tmp_path: Path) -> None:
    async with world(tmp_path) as at, let_in(at) as client:
        policy = (await client.get("/")).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy, "it talks to nobody else"


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "null"},
    {"host": "evil.example"},
    {"host": "localhost:80"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"cookie": "flowkit_studio_1=x"},
)


async def test_a_foreign_page_gets_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, scenes=1) as at, let_in(at) as client:
        await references(at)
        await images(at, 1)
        spent = len(at.provider.ledger)
        (take,) = [take for take in await (await at.scene(1)).takes() if take.stage == "image"]
        scene = (await at.scene(1)).id
        call = {"name": "generate_image", "arguments": {"scenes": [scene], "new_take": True}}
        ours: dict[str, Any] = {"origin": address(at), **OURS}
        for headers in FOREIGN:
            for method, path, body in (
                ("GET", f"/read?uri=flowkit://storyboard/{at.video.id}", None),
                ("GET", f"/picture/{take.id}", None),
                ("GET", f"/clip/{take.id}", None),
                ("POST", "/call", call),
                ("POST", "/answer", {"id": "x", "accept": True}),
            ):
                answer = await client.request(method, path, json=body, headers=ours | headers)
                assert answer.status_code == 403, (headers, path, answer.text)
        assert len(at.provider.ledger) == spent


async def test_a_post_without_an_origin_and_with_another_type_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as at, let_in(at) as client:
        call = {"name": "list_projects", "arguments": {}}
        assert (await client.post("/call", json=call)).status_code == 403
        ours = {"origin": address(at), **OURS}
        assert (await client.post("/call", json=call, headers=ours)).status_code == 200
        # what a form of another site could send
        text = await client.post(
            "/call", content=str(call), headers=ours | {"content-type": "text/plain"}
        )
        assert text.status_code == 400
        for bad in ("[]", "{", '{"name": 3}', '{"name": "list_projects"}', "x" * 70_000):
            typed = ours | {"content-type": "application/json"}
            assert (await client.post("/call", content=bad, headers=typed)).status_code == 400


async def test_only_takes_are_served_and_only_the_storyboard_is_read(tmp_path: Path) -> None:
    async with world(tmp_path, scenes=1) as at, let_in(at) as client:
        for path in (
            "/picture/none",
            "/clip/..%2F..%2Fetc%2Fpasswd",
            "/read?uri=flowkit://status",
            "/read",
        ):
            assert (await client.get(path, headers=OURS)).status_code == 404, path
        await references(at)
        await images(at, 1)
        (take,) = [take for take in await (await at.scene(1)).takes() if take.stage == "image"]
        assert (await client.get(f"/clip/{take.id}", headers=OURS)).status_code == 404, (
            "a picture is no clip"
        )
        picture = await client.get(f"/picture/{take.id}", headers=OURS)
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert "immutable" in picture.headers["cache-control"]


async def test_a_call_that_fails_in_an_unforeseen_way_is_answered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("an answer that is none")

    async with world(tmp_path) as at, let_in(at) as client:
        monkeypatch.setattr(Client, "call_tool", broken)
        call = {"name": "list_projects", "arguments": {}}
        ours = {"origin": address(at), **OURS}
        answer = await asyncio.wait_for(client.post("/call", json=call, headers=ours), 30)
        result = answer.json()["result"]
        assert result["isError"] is True
        assert result["content"][0]["text"].startswith("BUG: an answer that is none.")
        (logged,) = [one for one in caplog.records if one.name == "flowkit.server"]
        assert logged.exc_info is not None
