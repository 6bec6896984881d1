"""Our server over HTTP, with what the official conformance suite wants to find on any server: `… FOLDER PORT`.

The suite calls tools, resources and prompts of fixed names and compares what comes back word for word; they are
added here, beside all that FlowKit offers.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import conformance_rounds
from mcp.server import MCPServer
from mcp.server.mcpserver import Audio, Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SamplingMessage,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

from flowkit_mcp.config import Settings
from flowkit_mcp.server.http import listen, serve
from flowkit_mcp.server.server import build

#: One red pixel, and a tenth of a millisecond of silence.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
WAV = base64.b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=")

Ctx = Context[Any, Any]
Server = MCPServer[Any]


class Answer(BaseModel):
    response: str = Field(description="User's response")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = (
        "active"
    )
    verified: bool = True


def _one_of(*names: str) -> list[dict[str, str]]:
    return [{"const": name, "title": name.title()} for name in names]


class Choices(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["a", "b", "c"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": _one_of("low", "high")})
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": ["r", "w"]}}
    )
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _one_of("f", "g")}})
    legacyEnum: str = Field(
        json_schema_extra={"enum": ["s", "m"], "enumNames": ["Small", "Middle"]}
    )


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return EmbeddedResource(type="resource", resource=contents)


def _tools(server: Server) -> None:
    def fixture(fn: Callable[..., Any]) -> None:
        server.add_tool(fn, description=f"Fixture of the conformance suite: {fn.__name__}.")

    def test_simple_text() -> str:
        return "This is a simple text response for testing."

    def test_image_content() -> Image:
        return Image(data=PNG, format="png")

    def test_audio_content() -> Audio:
        return Audio(data=WAV, format="wav")

    def test_embedded_resource() -> EmbeddedResource:
        return _embedded(
            "test://embedded-resource", "text/plain", "This is an embedded resource content."
        )

    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        return [
            TextContent(type="text", text="Multiple content types test:"),
            Image(data=PNG, format="png").to_image_content(),
            _embedded(
                "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
            ),
        ]

    def test_error_handling() -> str:
        raise ToolError("This tool intentionally returns an error for testing")

    async def test_tool_with_logging(ctx: Ctx) -> str:
        for step in ("started", "processing data", "completed"):
            await ctx.log("info", f"Tool execution {step}")  # pyright: ignore[reportDeprecated]
        return "done"

    async def test_tool_with_progress(ctx: Ctx) -> str:
        for share in (0, 50, 100):
            await ctx.report_progress(share, 100, f"{share} of 100")
        return "done"

    async def test_sampling(prompt: str, ctx: Ctx) -> str:
        asked = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        said = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]
            messages=[asked], max_tokens=100, related_request_id=ctx.request_id
        )
        return f"LLM response: {said.content.text}"  # type: ignore[union-attr]

    async def test_elicitation(message: str, ctx: Ctx) -> str:
        said = await ctx.elicit(message, Answer)
        content = said.data.model_dump_json() if said.action == "accept" else "{}"
        return f"User response: action={said.action}, content={content}"

    async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
        said = await ctx.elicit("Please check these", Defaults)
        return f"Elicitation completed: action={said.action}"

    async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
        said = await ctx.elicit("Please choose", Choices)
        return f"Elicitation completed: action={said.action}"

    for fn in list(locals().values()):
        if getattr(fn, "__name__", "").startswith("test_"):
            fixture(fn)


def _resources(server: Server) -> None:
    def resource(uri: str, mime_type: str, fn: Callable[..., Any]) -> None:
        server.resource(uri, name=uri, description="Fixture.", mime_type=mime_type)(fn)

    def data(id: str) -> str:
        return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'

    resource("test://static-text", "text/plain", lambda: "This is a static text resource.")
    resource("test://static-binary", "image/png", lambda: PNG)
    resource("test://watched-resource", "text/plain", lambda: "This is watched.")
    resource("test://template/{id}/data", "application/json", data)


def _prompts(server: Server) -> None:
    @server.prompt(description="Fixture without arguments.")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description="Fixture with two arguments.")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="Fixture with a resource in it.")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        held = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(held), UserMessage("Please process the embedded resource above.")]

    @server.prompt(description="Fixture with a picture in it.")
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(Image(data=PNG, format="png")), UserMessage("Please look at it.")]


def overlaid(settings: Settings) -> Server:
    """The server of a library, with the fixtures."""
    server = build(settings)
    _tools(server)
    _resources(server)
    _prompts(server)
    conformance_rounds.install(server)

    async def set_level(_ctx: Any, _params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    server._lowlevel_server.add_request_handler(
        "logging/setLevel", SetLevelRequestParams, set_level
    )
    return server


if __name__ == "__main__":
    library, http, bridge = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with listen("127.0.0.1", http) as bound:
        asyncio.run(serve(overlaid(Settings(library=library, port=bridge)), bound))
