"""A chat: a host page with the official bridge, our page in its sandboxed frame, our real server behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from board_pages import Windows
from mcp.types import CallToolResult
from playwright.async_api import FrameLocator, Page, Route
from talk import Talk

from flowkit_mcp.server.schemas import STORYBOARD

#: What a host lets an app do that asks for nothing (the MCP Apps specification's default policy).
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "connect-src 'none'; base-uri 'none'"
)
HOST = "http://127.0.0.1:1/host"
HOST_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>body { margin: 0 } iframe { border: 0; width: 100%; height: 600px; display: block }</style>
<iframe sandbox="allow-scripts" title="app"></iframe>
<script>/*BRIDGE*/</script>
<script>
const told = { context: [], calls: [] };
async function show({ html, context, capabilities }) {
  const frame = document.querySelector("iframe");
  const bridge = new AppBridge(null, { name: "Test host", version: "1" }, capabilities, { hostContext: context });
  bridge.oncalltool = (params) => { told.calls.push(params.name); return window.toolsCall(params); };
  bridge.onreadresource = (params) => window.resourcesRead(params);
  bridge.onupdatemodelcontext = async (params) => { told.context.push(params.content[0].text); return {}; };
  bridge.addEventListener("sizechange", ({ height }) => {
    frame.style.height = `${height}px`;
  });
  bridge.onrequestdisplaymode = async ({ mode }) => ({ mode });
  const ready = new Promise((done) => bridge.addEventListener("initialized", done));
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = html;
  await ready;
  window.bridge = bridge;
}
</script>"""


@dataclass
class Chat:
    page: Page
    talk: Talk

    @property
    def app(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    async def called(self) -> list[str]:
        """The tools that the app has called."""
        return await self.page.evaluate("told.calls")

    async def model_hears(self, text: str) -> None:
        """Until this is what the model would be told."""
        await self.page.wait_for_function("text => told.context.at(-1) === text", arg=text)

    async def fits(self) -> None:
        """Until the app has the height it needs: nothing scrolls inside the message."""
        _, app = self.page.frames
        needed = "Math.ceil(document.body.getBoundingClientRect().height)"
        await app.wait_for_function(f"() => {needed} === innerHeight")

    async def shows(self, tool: str, arguments: dict[str, Any]) -> None:
        """The model has called a tool; its host tells the app."""
        result = await self.talk.call(tool, **arguments)
        assert not result.is_error
        await self.page.evaluate("a => bridge.sendToolInput({ arguments: a })", arguments)
        await self.page.evaluate("r => bridge.sendToolResult(r)", wire(result))


def wire(result: Any) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def open_chat(
    windows: Windows,
    host_script: str,
    talk: Talk,
    *,
    theme: str = "light",
    resources: bool = True,
    size: tuple[int, int] = (760, 800),
) -> Chat:
    """A host that can show apps, as it is when a tool that has one is called."""
    page = await windows.page(size=size)
    html = HOST_PAGE.replace("/*BRIDGE*/", host_script.replace("</script", "<\\/script"))

    async def host(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=html)

    async def tools_call(params: dict[str, Any]) -> dict[str, Any]:
        result: CallToolResult = await talk.client.call_tool(params["name"], params["arguments"])
        return wire(result)

    async def resources_read(params: dict[str, Any]) -> dict[str, Any]:
        return wire(await talk.client.read_resource(params["uri"]))

    await page.route(HOST, host)
    await page.expose_function("toolsCall", tools_call)
    await page.expose_function("resourcesRead", resources_read)
    await page.goto(HOST)
    (app,) = (await talk.client.read_resource(STORYBOARD)).contents
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    shown = re.sub("<head>", f"<head>{policy}", app.text, count=1)  # type: ignore[union-attr]
    capabilities: dict[str, Any] = {"serverTools": {}, "updateModelContext": {"text": {}}}
    if resources:
        capabilities["serverResources"] = {}
    context = {
        "theme": theme,
        "displayMode": "inline",
        "availableDisplayModes": ["inline", "fullscreen"],
        "platform": "desktop",
    }
    await page.evaluate("show", {"html": shown, "context": context, "capabilities": capabilities})
    return Chat(page, talk)
