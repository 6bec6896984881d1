"""A signed-in tab of lane labs for the simulator's tests: session, bearer, captcha, all by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from sim_tab import FakeRenderer

from flowkit_mcp.simulator import Simulator

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "labs"
PID = "11111111-1111-4111-8111-111111111111"
MID = "22222222-2222-4222-8222-222222222222"
SUBMIT = "/v1/video:batchAsyncGenerateVideo"
CHECK = "/v1/video:batchCheckAsyncVideoGenerationStatus"
TRPC = "/fx/api/trpc/"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


class LabsTab:
    """One browser tab; `project` is one of its own."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.bearer = ""
        self.project = ""

    async def session(self) -> Any:
        reply = (await self.http.get("/fx/api/auth/session")).json()
        self.bearer = reply.get("access_token", "")
        return reply

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.bearer or 'none'}"}
        if body is not None:
            more["content"] = json.dumps(body)
            headers["content-type"] = "text/plain;charset=UTF-8"
        return await self.http.request(method, path, headers=headers, **more)

    async def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        reply = await self.call(method, path, body, **more)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def trpc(self, name: str, given: Any, method: str = "POST") -> Any:
        """`result.data.json` of a procedure."""
        if method == "GET":
            query = {"input": json.dumps({"json": given})}
            reply = await self.http.get(TRPC + name, params=query)
        else:
            reply = await self.http.post(TRPC + name, content=json.dumps({"json": given}))
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]["data"]["json"]

    async def filled_in(self, name: str, action: str = "", ids: Any = None) -> Any:
        """A golden body with this tab's project, a fresh token and ids in place of the dummies."""
        text = json.dumps(golden(name))
        token = (await self.http.post("/recaptcha/token", data={"action": action})).json()
        swap = {PID: self.project, "RC": token.get("token", "RC")} | (ids or {})
        for dummy, ours in swap.items():
            text = text.replace(f'"{dummy}"', json.dumps(ours))
        return json.loads(text)

    async def images(self, prompt: str = "a red bicycle", **item: Any) -> httpx2.Response:
        body = await self.filled_in("images_args", "IMAGE_GENERATION")
        request = body["requests"][0]
        request["structuredPrompt"]["parts"][0]["text"] = prompt
        request |= {"imageInputs": []} | item
        return await self.call(
            "POST", f"/v1/projects/{self.project}/flowMedia:batchGenerateImages", body
        )

    async def picture_id(self, prompt: str = "a red bicycle") -> str:
        return (await self.images(prompt)).json()["media"][0]["name"]

    async def submit(
        self, method: str = "Text", prompt: str = "waves", **item: Any
    ) -> httpx2.Response:
        body = await self.filled_in("video_text_args", "VIDEO_GENERATION")
        request = body["requests"][0]
        request["textInput"]["structuredPrompt"]["parts"][0]["text"] = prompt
        request |= item
        if method == "EditVideo":
            del body["useV2ModelConfig"]
        return await self.call("POST", SUBMIT + method, body)

    async def clip(self, method: str = "Text", prompt: str = "waves", **item: Any) -> str:
        reply = await self.submit(method, prompt, **item)
        assert reply.status_code == 200, reply.text
        return reply.json()["media"][0]["name"]

    async def check(self, *media: str) -> Any:
        return await self.ok("POST", CHECK, {"media": [{"name": one} for one in media]})

    async def settled(self, media: str) -> str:
        """Poll until the job has ended; how it ended."""
        async with asyncio.timeout(60):
            while True:
                [entry] = (await self.check(media))["media"]
                status = status_of(entry)
                if status not in ("SCHEDULED", "ACTIVE", "PENDING"):
                    return status
                await asyncio.sleep(0.002)

    async def address(self, media: str) -> httpx2.Response:
        """Ask for the address until there is one."""
        async with asyncio.timeout(60):
            while True:
                query = {"name": media}
                reply = await self.http.get(TRPC + "media.getMediaUrlRedirect", params=query)
                if reply.status_code != 404:
                    return reply
                await asyncio.sleep(0.002)


def status_of(entry: Any) -> str:
    """From either of the two paths."""
    inside = entry.get("mediaMetadata", {}).get("mediaStatus")
    status = inside or entry["mediaStatus"]
    return status["mediaGenerationStatus"].removeprefix("MEDIA_GENERATION_STATUS_")


@asynccontextmanager
async def labs(folder: Path, **options: Any) -> AsyncGenerator[tuple[Simulator, LabsTab]]:
    """A quick simulator whose accounts are served lane labs, and a tab signed in to it."""
    settings: dict[str, Any] = {"pace": 0.01, "renderer": FakeRenderer(), "lane": "labs"} | options
    async with Simulator.run(folder, **settings) as sim:
        sim.switch(submit_shape="media")  # the mix is for clients; a test says what it wants
        # No certificates to load on loopback: that alone takes longer than a test.
        client: Any = {"base_url": sim.url, "timeout": 10, "verify": False}
        async with httpx2.AsyncClient(**client) as http:
            await http.get("/signin")
            tab = LabsTab(http)
            await tab.session()
            made = await tab.trpc(
                "project.createProject", {"projectTitle": "Film", "toolName": "PINHOLE"}
            )
            tab.project = made["result"]["projectId"]
            yield sim, tab
