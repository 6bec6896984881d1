"""A scripted bridge: answers by call name, and a record of what was asked. It knows nothing of our codec."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowkit_mcp.bridge.protocol import CallError, FlowState, Found, Result, Standing
from flowkit_mcp.errors import NotConnected

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "batchexecute"
PID = "11111111-1111-4111-8111-111111111111"
MID = "22222222-2222-4222-8222-222222222222"
WID = "33333333-3333-4333-8333-333333333333"
UPLOAD = "55555555-5555-4555-8555-555555555555"
SEED_A = "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"
SEED_B = "BBBBBBBB-BBBB-4BBB-8BBB-BBBBBBBBBBBB"
BATCH = "CCCCCCCC-CCCC-4CCC-8CCC-CCCCCCCCCCCC"
PROFILE = "0" * 32
OTHER_PROFILE = "f" * 32

RPC = {
    "account.credits": "nzlxg",
    "account.models": "HTrJv",
    "project.create": "jHPbke",
    "project.contents": "Zzl0ze",
    "media.get": "as29s",
    "image.upload": "maseQ",
    "image.generate": "ogiZ0b",
    "video.start": "eb1hJf",
    "video.start_end": "nprQif",
    "video.upscale": "p0UkFb",
    "video.status": "jwpduf",
    "project.list": "UpteDb",
    "project.rename": "o8DA4",
    "project.delete": "QI2zvc",
    "image.upscale": "SPrCad",
    "video.text": "YhhmEf",
    "video.references": "MZZa6b",
    "video.extend": "fZytfe",
    "workflow.update": "mYWVGd",
    "workflow.archive": "pGCYOe",
    "media.delete": "cz8Z4b",
    "scene.create": "rqZuUc",
    "character.create": "C4BZMd",
    "character.update": "rzMKMb",
    "character.portrait": "Sc7aEb",
}


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def frame(rpc: str, payload: Any, slot: list[Any] | None = None) -> str:
    nested = None if payload is None else json.dumps(payload)
    return json.dumps([["wrb.fr", rpc, nested, None, None, slot, "generic"], ["di", 100]])


def body(rpc: str, payload: Any, slot: list[Any] | None = None) -> str:
    return f')]}}\'\n\n99\n{frame(rpc, payload, slot)}\n25\n[["e",4,null,null,803]]\n'


def ok(name: str, payload: Any) -> Result:
    return Result(id="x", ok=True, status=200, body=body(RPC[name], payload))


def said(payload: Any, status: int = 200, **headers: str) -> Result:
    """An answer of lane `labs`."""
    return http(status, json.dumps(payload), **headers)


def trpc(result: Any, status: Any = 200) -> Result:
    return said({"result": {"data": {"json": {"result": result, "status": status}}}})


def refused(name: str, code: int, reason: str | None = None, message: str | None = None) -> Result:
    details = [["type.googleapis.com/google.rpc.ErrorInfo", [reason]]] if reason else None
    slot = [code, message, details] if reason or message else [code]
    return Result(id="x", ok=True, status=200, body=body(RPC[name], None, slot))


def http(status: int, text: str = "", **headers: str) -> Result:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Result(id="x", ok=True, status=status, headers=named, body=text)


def broken(code: Any, *, sent: bool, message: str = "") -> Result:
    return Result(id="x", ok=False, error=CallError(code=code, message=message, sent=sent))


@dataclass
class Asked:
    name: str
    rpc: str
    #: Lane `batchexecute`: the RPC's array. Lane `labs`: method, host, path, query and body.
    args: Any
    source_path: str
    options: dict[str, Any]


Answer = Result | Exception | Callable[[Asked], Result]


@dataclass
class ScriptedChannel:
    """Each call name answers from its list; the last answer stays. `journal` is the extension's."""

    flow: FlowState | None = field(
        default_factory=lambda: FlowState(
            lane="batchexecute", account="a…z@example.org", tab="ready", signed_in=True
        )
    )
    instance: str | None = PROFILE
    standby: tuple[str, ...] = ()
    answers: dict[str, list[Answer]] = field(default_factory=dict[str, list[Answer]])
    journal: dict[str, Found] = field(default_factory=dict[str, Found])
    asked: list[Asked] = field(default_factory=list[Asked])
    acks: list[str] = field(default_factory=list[str])

    def on(self, name: str, *answers: Answer) -> None:
        self.answers[name] = list(answers)

    def stands(self, id: str, standing: Standing, result: Result | None = None) -> None:
        self.journal[id] = Found(id=id, standing=standing, result=result)

    def serves(self, lane: Any) -> None:
        """From now on the account is served this lane."""
        self.flow = FlowState(lane=lane, account="a…z@example.org", tab="ready", signed_in=True)

    def names(self) -> list[str]:
        return [asked.name for asked in self.asked]

    async def call(self, name: str, args: dict[str, Any], **options: Any) -> Result:
        if options["lane"] == "labs":
            assert {"method", "host", "path", "query"} <= set(args)
            asked = Asked(name, "", args, "", options)
        else:
            asked = Asked(name, args["rpc"], args["args"], args["source_path"], options)
            assert set(args) == {"rpc", "args", "source_path"}
            assert asked.rpc == RPC[name]
        self.asked.append(asked)
        queue = self.answers[name]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Result) else answer(asked)

    async def lookup(self, id: str, *, instance: str | None = None) -> Found:
        if self.instance is None or instance not in (None, self.instance, *self.standby):
            raise NotConnected("no such profile")
        return self.journal.get(id) or Found(id=id, standing=Standing.NEVER_RECEIVED)

    async def ack(self, id: str) -> None:
        self.acks.append(id)
