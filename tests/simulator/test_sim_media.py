"""States of a clip over time, addresses that expire, and what survives a restart."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sim_tab import FakeRenderer, Refused, SettableClock, Tab, jpeg, simulator

from flowkit_mcp.errors import MediaError
from flowkit_mcp.simulator import Simulator


async def test_a_clip_goes_through_its_states_in_order(tmp_path: Path) -> None:
    """Poster before the clip, status before the address, credits only at the end."""
    renderer = FakeRenderer()
    renderer.hold = asyncio.Event()
    seen: list[Any] = []
    async with simulator(tmp_path, renderer=renderer, pace=0.05) as (sim, tab):
        sim.switch(url_delay_s=10_000)
        record = (await tab.clip())[3][0]
        media, begun = record[0], record[5][8]

        async def look_until(condition: Any) -> None:
            async with asyncio.timeout(60):
                while True:
                    _, credits, [record] = await tab.poll(media)
                    poster = len(record[5]) > 10 and record[5][10] is not None
                    look = (record[5][8][0], poster, credits is not None)
                    if not seen or seen[-1] != look:
                        seen.append(look)
                    if condition(look):
                        return
                    await asyncio.sleep(0.002)

        await look_until(lambda look: look[1])
        renderer.hold.set()
        await look_until(lambda look: look[0] == 3)
        record = await tab.rpc("as29s", [media])
        assert record[7][0][8] is None, "done, and the address is not there yet"
    assert begun == [6] and seen[0][2] is False
    assert seen[-1] == (3, True, True)
    assert (2, True, False) in seen
    states = [state for state, _, _ in seen]
    assert states == sorted(states, key=[6, 2, 3].index) or states.count(6) == 2


async def test_a_stuck_clip_is_charged_and_never_starts(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        stuck, other = await tab.clip_id("[[stuck]]"), await tab.clip_id()
        await tab.published(other)
        assert (await tab.poll(stuck))[2][0][5][8] == [6]
        assert sim.charged == 14


async def test_a_slow_clip_is_overtaken(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        slow, other = await tab.clip_id("[[slow=9000]]"), await tab.clip_id()
        await tab.published(other)
        _, credits, records = await tab.poll(slow, other)
        assert [record[0] for record in records] == [slow, other]
        assert records[0][5][8] in ([6], [2]) and records[1][5][8] == [3]
        assert credits is None


async def test_looking_at_a_running_clip_gives_its_record_or_only_its_id(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        media = await tab.clip_id("[[stuck]]")
        looks = [await tab.rpc("as29s", [media]) for _ in range(2)]
        assert media in looks
        assert [look[0] for look in looks if isinstance(look, list)] == [media]


async def test_polling_a_tile_complains_while_its_clip_goes_on(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        record = (await tab.clip())[3][0]
        [complaint] = (await tab.poll(record[2]))[2]
        assert complaint[0] == record[2]
        assert complaint[5][8][0] == 4 and "Media not found." in json.dumps(complaint)
        assert (await tab.settled(record[0]))[5][8] == [3]


async def test_unknown_ids_are_left_out_of_a_poll_and_refused_by_a_look(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        assert await tab.poll("nobody") == [None, sim.balance, []]
        with pytest.raises(Refused) as refused:
            await tab.rpc("as29s", ["nobody"])
        assert refused.value.code == 5


async def test_a_clip_wants_frames_that_exist_in_its_project(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        elsewhere = await tab.picture_id()
        tab.project = (await tab.rpc("jHPbke", ["projects/*", [None, ["Other"]]]))[0]
        for start in ("nobody", elsewhere):
            with pytest.raises(Refused) as refused:
                await tab.clip(start=start)
            assert refused.value.code == 5
        assert sim.charged == 0


async def test_a_renderer_that_fails_ends_in_a_refund(tmp_path: Path) -> None:
    class Broken(FakeRenderer):
        async def clip(self, spec: Any, to: Path) -> None:
            raise MediaError("ffmpeg is missing")

    async with simulator(tmp_path, renderer=Broken()) as (sim, tab):
        record = await tab.settled(await tab.clip_id())
        assert record[5][8][1] == [None, "PUBLIC_ERROR_SOMETHING_WENT_WRONG"]
        assert sim.charged == 0


async def test_an_address_works_without_cookies_until_it_expires(tmp_path: Path) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock) as (sim, tab):
        media = await tab.clip_id()
        address = (await tab.published(media))[7][0][8]
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == sim.url
        assert parts.path == f"/content/video/{media}"
        assert parse_qs(parts.query)["KeyName"] == ["labs-flow-prod-cdn-key"]
        tab.http.cookies.clear()
        whole = await tab.http.get(address)
        assert whole.status_code == 200 and whole.headers["content-type"] == "video/mp4"
        assert whole.content[4:8] == b"ftyp"
        part = await tab.http.get(address, headers={"range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
        assert (await tab.http.get(parts.path)).status_code == 403
        assert (await tab.http.get(address.replace("/video/", "/image/"))).status_code == 403
        longer = address.replace("Expires=1", "Expires=2")
        assert (await tab.http.get(longer)).status_code == 403
        clock.ms += 6 * 3600 * 1000
        assert (await tab.http.get(address)).status_code == 403


async def test_the_poster_is_a_jpeg(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        record = await tab.published(await tab.clip_id())
        poster = await tab.http.get(record[5][10])
        assert poster.headers["content-type"] == "image/jpeg"
        assert poster.content[:2] == b"\xff\xd8"


async def test_a_missing_address_can_be_ordered(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        media = await tab.clip_id()
        await tab.published(media)
        sim.fault("as29s", "missing_url")
        assert (await tab.rpc("as29s", [media]))[7][0][8] is None
        assert (await tab.rpc("as29s", [media]))[7][0][8]


async def test_uploads_may_be_forgotten_after_a_while(tmp_path: Path) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock) as (sim, tab):
        media = (await tab.upload(base64.b64encode(jpeg()).decode()))[0][0]
        sim.switch(upload_ttl_s=3600)
        assert (await tab.rpc("as29s", [media]))[0] == media
        clock.ms += 3_600_000
        with pytest.raises(Refused) as refused:
            await tab.rpc("as29s", [media])
        assert refused.value.code == 5


async def test_a_restart_on_the_same_folder_knows_everything_and_finishes_what_was_begun(
    tmp_path: Path,
) -> None:
    renderer = FakeRenderer()
    renderer.hold = asyncio.Event()
    async with simulator(tmp_path, credits=100, renderer=renderer) as (sim, tab):
        picture = await tab.picture_id(seeds=("tile", "seed"))
        clip = await tab.clip_id(start=picture)
        slow = asyncio.create_task(tab.picture("[[slow=900]]", seeds=("t2", "s2")))
        async with asyncio.timeout(60):
            while len((await tab.http.get("/sim/ledger")).json()["entries"]) < 3:
                pass
        sim.switch(quota={"BELUGA": 3})
        ledger, project, cookies = sim.ledger(), tab.project, tab.http.cookies
        values = tab.values
        [(_, slow_id)] = [(e.seed, e.media_id) for e in ledger if e.seed == "s2"]
        port = int(sim.url.rpartition(":")[2])
    with pytest.raises(httpx2.TransportError):
        await slow
    for media in (picture, clip):
        state = json.loads((tmp_path / "simulator.json").read_text(encoding="utf-8"))
        assert media in state["media"]

    async with Simulator.run(
        tmp_path, port=port, credits=1, pace=0.0001, renderer=FakeRenderer()
    ) as sim:
        async with Tab.open(sim) as tab:
            tab.http.cookies.clear()
            tab.http.cookies.update(cookies)
            tab.values, tab.project = values, project
            assert sim.ledger() == ledger and sim.balance == 93
            assert (await tab.published(clip))[0] == clip
            async with asyncio.timeout(60):
                while True:
                    listed = (await tab.rpc("Zzl0ze", [f"projects/{project}"]))[2]
                    if {record[0] for record in listed} == {picture, clip, slow_id}:
                        break
                    await asyncio.sleep(0.002)
            with pytest.raises(Refused):
                await tab.picture(seeds=("t3", "seed"))
            told = (await tab.http.get("/sim/state")).json()
            assert told["switches"]["quota"] == {"BELUGA": 3}
            assert sim.ledger() == ledger


@pytest.mark.crash
async def test_a_killed_simulator_has_lost_nothing_it_answered(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from flowkit_mcp.simulator import Simulator\n"
        "async def main():\n"
        "    async with Simulator.run(Path(sys.argv[1]), pace=5) as sim:\n"
        "        print(sim.url, flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        url = (await asyncio.wait_for(child.stdout.readline(), 20)).decode().strip()
        async with Tab.open(SimpleNamespace(url=url)) as tab:
            media = await tab.clip_id(seeds=("seed", "tile"))
    finally:
        child.kill()
        await child.wait()
    async with simulator(tmp_path) as (sim, tab):
        [entry] = sim.ledger()
        assert (entry.media_id, entry.seed, entry.credits) == (media, "seed", 7)
        assert (await tab.published(media))[0] == media
        assert [path.name for path in tmp_path.rglob("*.part")] == []


async def test_orientation_keys_follow_their_switch(tmp_path: Path) -> None:
    async def code(key: str, aspect: int) -> int | None:
        try:
            await tab.clip(key=key, aspect=aspect)
        except Refused as refused:
            return refused.code
        return None

    async with simulator(tmp_path, tier="ultra") as (sim, tab):
        plain, upright = "veo_3_1_t2v_fast_ultra", "veo_3_1_t2v_fast_portrait_ultra"
        assert [await code(plain, 2), await code(plain, 1)] == [None, 3]
        assert [await code(upright, 1), await code(upright, 2)] == [None, 3]
        sim.switch(portrait_keys="unlisted")
        assert [await code(plain, 1), await code(upright, 1)] == [None, 5]
        catalogue = json.dumps(await tab.rpc("HTrJv", []))
        assert plain in catalogue and upright not in catalogue


async def test_an_upscale_wants_the_resolution_in_slot_6_unless_switched(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        media = await tab.clip_id(aspect=1)
        await tab.published(media)
        with pytest.raises(Refused) as refused:
            await tab.upscale(media, resolution=1)
        assert refused.value.code == 3
        sim.switch(upscale_slot_6="aspect")
        assert await tab.upscale(media, resolution=1)


async def test_the_page_of_what_was_made_shows_media_ledger_and_switches(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        media = await tab.clip_id()
        await tab.published(media)
        page = await tab.http.get("/made")
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        told = (await tab.http.get("/made/data")).json()
        [shown] = told["media"]
        assert (await tab.http.get(shown["address"])).content[4:8] == b"ftyp"
        assert (await tab.http.get(shown["poster"])).status_code == 200
        assert [entry["credits"] for entry in told["ledger"]] == [7]
        assert told["accounts"][0]["balance"] == sim.balance
        described = told["described"]
        assert set(described["switches"]) == set(told["switches"])
        assert "tier" in described["commands"] and "[[cut]]" in described["markers"]
