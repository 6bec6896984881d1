"""A signed-in tab for the simulator's tests: speaks the wire by hand, so that nothing is checked against itself."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from PIL import Image

from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.draw_specs import ClipSpec, PictureSpec

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "batchexecute"
BATCHEXECUTE = "/_/AiSandboxAngularFrontend/data/batchexecute"
PENDING = (1, 2, 6)


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def jpeg(width: int = 64, height: int = 36, kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 40)).save(out, kind)
    return out.getvalue()


class FakeRenderer:
    """Draws nothing, but remembers what it was asked for. `hold` keeps clips back until it is set."""

    def __init__(self) -> None:
        self.pictures: list[PictureSpec] = []
        self.clips: list[ClipSpec] = []
        self.upscales: list[tuple[Path, int, int]] = []
        self.hold: asyncio.Event | None = None

    async def picture(self, spec: PictureSpec) -> bytes:
        self.pictures.append(spec)
        return jpeg()

    async def clip(self, spec: ClipSpec, to: Path) -> None:
        self.clips.append(spec)
        if self.hold is not None:
            await self.hold.wait()
        to.write_bytes(b"\0\0\0\x18ftypmp42" + spec.prompt.encode("utf-8") * 10)

    async def upscale(self, source: Path, to: Path, width: int, height: int) -> None:
        self.upscales.append((source, width, height))
        to.write_bytes(source.read_bytes() * 2)

    async def aclose(self) -> None:
        pass


class SettableClock(Clock):
    """Stands at `ms` until it is moved."""

    def __init__(self, ms: int = 1_789_990_000_000) -> None:
        self.ms = ms

    def now(self) -> int:
        return self.ms


class Refused(Exception):
    """Slot 5 of a frame."""

    def __init__(self, slot: list[Any]) -> None:
        super().__init__(str(slot))
        self.code: int = slot[0]
        self.reason = slot[2][0][1][0] if len(slot) > 2 and slot[2] else None


class Tab:
    """One signed-in browser tab of a simulator."""

    def __init__(self, sim: Simulator, http: httpx2.AsyncClient) -> None:
        self.sim = sim
        self.http = http
        self.values: dict[str, Any] = {}
        self.project = ""

    @classmethod
    @asynccontextmanager
    async def open(cls, sim: Simulator, account: str | None = None) -> AsyncGenerator[Tab]:
        # No certificates to load on loopback: that alone takes longer than a test.
        options: Any = {
            "base_url": sim.url,
            "follow_redirects": True,
            "timeout": 10,
            "verify": False,
        }
        async with httpx2.AsyncClient(**options) as http:
            tab = cls(sim, http)
            await http.get("/signin", params={"account": account} if account else {})
            await tab.reload()
            if "SNlM0e" in tab.values:
                tab.project = (await tab.rpc("jHPbke", ["projects/*", [None, ["Film"]]]))[0]
            yield tab

    async def reload(self, path: str = "/") -> str:
        text = (await self.http.get(path)).text
        found = re.search(r"window\.WIZ_global_data = (.*?);</script>", text)
        assert found
        self.values = json.loads(found[1])
        return text

    async def send(
        self, *calls: tuple[str, Any], prefix: str = "", **query: Any
    ) -> httpx2.Response:
        request = [[[rpc, json.dumps(args), None, "generic"] for rpc, args in calls]]
        params = {
            "rpcids": ",".join(rpc for rpc, _ in calls),
            "source-path": f"/project/{self.project}",
            "bl": self.values.get("cfb2h"),
            "f.sid": self.values.get("FdrFJe"),
            "hl": "en",
            "_reqid": 123456,
            "rt": "c",
        }
        params = {name: value for name, value in (params | query).items() if value is not None}
        body = urlencode({"f.req": json.dumps(request), "at": self.values.get("SNlM0e", "")}) + "&"
        kind = "application/x-www-form-urlencoded;charset=UTF-8"
        return await self.http.post(
            prefix + BATCHEXECUTE,
            params=params,
            content=body,
            headers={"content-type": kind, "x-same-domain": "1"},
        )

    async def rpc(self, rpc: str, args: Any) -> Any:
        reply = await self.send((rpc, args))
        assert reply.status_code == 200, reply.text
        [frame] = [f for f in frames(reply.text) if f[0] == "wrb.fr" and f[1] == rpc]
        if frame[2] is None and len(frame) > 5 and frame[5]:
            raise Refused(frame[5])
        return None if frame[2] is None else json.loads(frame[2])

    async def token(self, action: str) -> str:
        reply = await self.http.post("/recaptcha/token", data={"action": action})
        return reply.json()["token"]

    async def context(self, action: str, workflow: str | None = None) -> list[Any]:
        token = await self.token(action)
        return [None, 22, None, None, workflow, self.project, None, None, None, None, [token, 1]]

    async def picture(
        self,
        prompt: str = "a red bicycle",
        *,
        inputs: Any = None,
        model: str = "GEM_PIX_2",
        aspect: int = 3,
        workflow: str | None = None,
        seeds: tuple[str | None, str | None] = (None, None),
        ctx: Any = None,
    ) -> Any:
        """The payload of `ogiZ0b`; seeds are (workflow, media)."""
        ctx = ctx or await self.context("IMAGE_GENERATION", workflow)
        block = [[[prompt]]]
        item = [None, None, inputs, 7, aspect, model, None, ctx, block, None, None, None, *seeds]
        return await self.rpc("ogiZ0b", [None, [item], 1, ctx, ["BATCH"]])

    async def picture_id(self, prompt: str = "a red bicycle", **more: Any) -> str:
        return (await self.picture(prompt, **more))[0][0][0]

    async def clip(
        self,
        prompt: str = "slow push in",
        *,
        start: str | None = None,
        end: str | None = None,
        key: str | None = None,
        aspect: int = 2,
        seeds: tuple[str | None, str | None] = (None, None),
        ctx: Any = None,
    ) -> Any:
        """The payload of a video submit: from text, from a start image, or with an end image too."""
        ctx = ctx or await self.context("VIDEO_GENERATION")
        meta = [None, None, None, None, *seeds]
        prompt_block = [None, None, [[[prompt]]]]
        if end:
            default, rpc = "omni_flash_i2v_4s_first_last", "nprQif"
            rest: list[Any] = [[None, start], [None, end], meta]
        elif start:
            default, rpc, rest = "abra_i2v_4s", "eb1hJf", [[None, start], meta]
        else:
            default, rpc, rest = "abra_t2v_4s", "YhhmEf", [meta]
        item = [prompt_block, key or default, aspect, None, *rest]
        return await self.rpc(rpc, [[item], ctx, ["BATCH", 2]])

    async def clip_id(self, prompt: str = "slow push in", **more: Any) -> str:
        return (await self.clip(prompt, **more))[3][0][0]

    async def upscale(
        self, source: str, key: str = "veo_3_1_upsampler_1080p", resolution: int = 2
    ) -> Any:
        ctx = await self.context("VIDEO_GENERATION")
        item: list[Any] = [None] * 32
        item[0], item[2], item[6], item[31] = [None, source], 2, resolution, key
        item[4] = [None, None, None, None, f"UP-{source}-{key}"]
        return await self.rpc("p0UkFb", [[item], ctx, ["BATCH", 2]])

    async def upload(self, data_base64: str, name: str = "ref.png", action: str = "") -> Any:
        ctx = await self.context(action or "IMAGE_GENERATION")
        args = [ctx, data_base64, "image/png", 1, None, None, None, None, name, None, None, None]
        return await self.rpc("maseQ", args)

    async def poll(self, *media: str) -> Any:
        return await self.rpc("jwpduf", [None, None, [[one] for one in media]])

    async def settled(self, media: str, within_s: float = 60) -> Any:
        """Poll as a client does until the job has ended; its last record."""
        async with asyncio.timeout(within_s):
            while True:
                record = (await self.poll(media))[2][0]
                if record[5][8][0] not in PENDING:
                    return record
                await asyncio.sleep(0.002)

    async def published(self, media: str, within_s: float = 60) -> Any:
        """Look until a finished clip has its address; its record."""
        await self.settled(media, within_s)
        async with asyncio.timeout(within_s):
            while True:
                record = await self.rpc("as29s", [media])
                if record[7][0][8]:
                    return record
                await asyncio.sleep(0.002)


@asynccontextmanager
async def simulator(folder: Path, **options: Any) -> AsyncGenerator[tuple[Simulator, Tab]]:
    """A quick simulator with a fake renderer, and a tab signed in to it."""
    settings: dict[str, Any] = {"pace": 0.01, "renderer": FakeRenderer()} | options
    async with Simulator.run(folder, **settings) as sim, Tab.open(sim) as tab:
        yield sim, tab


def frames(text: str) -> list[Any]:
    """All frames of a reply, read by scanning for JSON arrays: the length lines are not to be trusted."""
    assert text.startswith(")]}'")
    decoder, position, found = json.JSONDecoder(), 0, []
    while (position := text.find("\n[", position)) >= 0:
        chunk, position = decoder.raw_decode(text, position + 1)
        found.extend(chunk)
    return found
