"""How a function becomes a tool: strict arguments, a lean schema, errors that say what to do.

mcp 2.3 by default ignores unknown arguments, publishes pydantic titles and prefixes errors (mcp.md §1.4);
here an argument that does not exist is an error that names the one that was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from flowkit_mcp.errors import BugError, FlowKitError, InvalidSetting
from flowkit_mcp.server.texts import unfit
from flowkit_mcp.store.engine import trouble_of

_SHOWN = 3
#: Of an error's text, in characters: a name of 100 kB is not said back.
_LONGEST = 2000

#: The page that shows what some tools answer, in clients that can (MCP Apps).
STORYBOARD = "ui://flowkit/storyboard"

#: What is left out is the protocol's default: not idempotent, open world.
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False)
#: Adds something to the library each time it is called.
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False)
#: Sets something that can be set back; the same call twice changes nothing more.
SETS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)
#: Overwrites or takes away something that is not kept elsewhere.
OVERWRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True)
#: Ends or decides something for good, at the provider too.
DECIDES = ToolAnnotations(read_only_hint=False, destructive_hint=True)
#: Makes media at the provider, and may cost credits.
MAKES = ToolAnnotations(read_only_hint=False, destructive_hint=False)


class Strict(BaseModel):
    """Base of objects inside arguments: an unknown field is an error, a bare text is the first field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: object) -> object:
        return {next(iter(cls.model_fields)): given} if isinstance(given, str) else given


class StrictTool(Tool):
    """A tool whose errors are `CODE: what happened. What to do next.` and nothing else."""

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        if unknown := [name for name in arguments if name not in self._properties]:
            raise ToolError(_told(self._complaint(unknown, self._mistakes(arguments))))
        if (flaw := unfit(arguments)) is not None:
            hint = "Leave that out or shorten it, and call again. Nothing was done."
            raise ToolError(_told(InvalidSetting(flaw, hint=hint)))
        try:
            return await super().run(arguments, context, convert_result)
        except UnexpectedToolError as error:
            cause = error.__cause__
            if isinstance(cause, FlowKitError):
                raise ToolError(_told(cause)) from cause
            trouble = None if cause is None else trouble_of(cause)
            if trouble is not None:
                raise ToolError(_told(trouble)) from cause
            # the server logs the trace; the model is told what it can do about a bug
            raise UnexpectedToolError(
                str(BugError(f"{self.name} ended with {type(cause).__name__}"))
            ) from cause
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                found = cause.errors(include_url=False)
                raise ToolError(_told(self._complaint([], found))) from cause
            raise ToolError(_told(cause or error)) from cause

    @property
    def _properties(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self.parameters.get("properties", {}))

    def _mistakes(self, arguments: Mapping[str, Any]) -> list[ErrorDetails]:
        """What else is wrong, so that everything is said at once."""
        known = {name: value for name, value in arguments.items() if name in self._properties}
        try:
            self.fn_metadata.validate_arguments(known)
        except ValidationError as error:
            return error.errors(include_url=False)
        return []

    def _complaint(self, unknown: list[str], found: list[ErrorDetails]) -> InvalidSetting:
        """The first few mistakes in the arguments, each with its field and its remedy."""
        known = list(self._properties)
        said = [f"unknown argument {name!r}{_nearest(name, known)}" for name in unknown]
        said += dict.fromkeys(_say(item, self.parameters) for item in found)
        more = f" (and {len(said) - _SHOWN} more)" if len(said) > _SHOWN else ""
        return InvalidSetting(
            "; ".join(said[:_SHOWN]) + more,
            hint=f"{self.name} takes: {', '.join(known) or 'nothing'}. Nothing was done.",
        )


def tool(
    fn: Callable[..., Any], title: str, hints: ToolAnnotations, *, app: str | None = None
) -> StrictTool:
    """Make a tool of an async function; its docstring is the description, its annotations the schema.

    `app`: the page that shows its results.
    """
    meta = None if app is None else {"ui": {"resourceUri": app}}
    made = cast(StrictTool, StrictTool.from_function(fn, title=title, annotations=hints, meta=meta))
    # Strictness is checked in `run`: to rebuild the SDK's model with extra="forbid" would double the time to start.
    made.parameters = {"additionalProperties": False} | lean(made.parameters)
    made.description = " ".join(made.description.split())
    return made


def lean(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with definitions inlined, and without titles, empty defaults and the `null` of
    optional fields.
    """
    definitions = cast("dict[str, Any]", schema.get("$defs", {}))

    def slim(node: Any, *, names: bool = False) -> Any:
        if isinstance(node, list):
            return [slim(item) for item in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        given = cast("dict[str, Any]", node)
        if names:  # a map from field names to schemas: a field may well be called `title`
            return {name: slim(inner) for name, inner in given.items()}
        if "$ref" in given:
            target = definitions[str(given["$ref"]).removeprefix("#/$defs/")]
            return slim({**target, **{k: v for k, v in given.items() if k != "$ref"}})
        slimmed = {
            key: slim(value, names=key == "properties")
            for key, value in given.items()
            if key not in ("title", "$defs")
            and not (key == "default" and not value)
            and not (key == "additionalProperties" and value is True)  # what it is anyway
        }
        return _without_null(slimmed)

    return cast("dict[str, Any]", slim(schema))


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """`X or null` becomes X: leaving a field out is how it is not given."""
    options = cast("list[dict[str, Any]] | None", node.get("anyOf"))
    if options is None:
        return node
    left = [option for option in options if option != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}


# ---- what is wrong with the arguments ----------------------------------------------------------


def _say(item: ErrorDetails, schema: dict[str, Any]) -> str:
    """One mistake in words, without what pydantic calls things."""
    parts = [part for part in item["loc"] if not _internal(part)]
    field = _path(parts)
    given = item.get("input")
    match item["type"]:
        case "extra_forbidden":
            names = _fields_at(schema, parts[:-1])
            there = f" (there: {', '.join(names)})" if names else " (there are none)"
            return f"unknown argument {field!r}{_nearest(str(parts[-1]), names) or there}"
        case "missing":
            return f"argument {field!r} is missing"
        case "literal_error" | "enum":
            expected = str((item.get("ctx") or {}).get("expected", ""))
            values = [value.strip(" '") for value in expected.replace(" or ", ",").split(",")]
            nearest = _nearest(str(given)[:60], values)
            return f"{field!r} must be one of {expected}, not {_short(given)}{nearest}"
        case "too_short" | "string_too_short":
            return f"{field!r} must not be empty"
        case "model_type":
            return f"{field!r} must be an object, not {_short(given)}"
        case "value_error":
            return f"{field!r}: {item['msg'].removeprefix('Value error, ')}"
        case _:
            message = item["msg"][:1].lower() + item["msg"][1:]
            return f"{field!r}: {message}, not {_short(given)}"


def _internal(part: int | str) -> bool:
    """Names that pydantic gives to the arms of a union or to a validator, not fields."""
    return isinstance(part, str) and ("[" in part or "(" in part or part in _ARMS)


_ARMS = {"str", "int", "float", "bool", "dict", "list"}


def _path(parts: Iterable[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "arguments"


def _fields_at(schema: dict[str, Any], parts: Iterable[int | str]) -> list[str]:
    node: dict[str, Any] = schema
    for part in parts:
        if isinstance(part, int):
            node = cast("dict[str, Any]", node.get("items", {}))
        else:
            node = cast("dict[str, Any]", node.get("properties", {})).get(part, {})
    return list(cast("dict[str, Any]", node.get("properties", {})))


def _nearest(word: str, names: Iterable[str]) -> str:
    names = list(names)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    close = close or [name for name in names if word and (word in name or name in word)][:1]
    return f" (did you mean {close[0]!r}?)" if close else ""


def _told(error: BaseException) -> str:
    """Its text; what the caller made too long loses its middle, for the next step stands at the end."""
    text = str(error)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
