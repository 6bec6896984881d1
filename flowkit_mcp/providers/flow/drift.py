"""Whether Flow still answers as this version expects: reading calls only (flow-wire §10, "drift strategy")."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.errors import NotConnected, ProviderError, Transient
from flowkit_mcp.providers.flow.calls import Calls


class Check(BaseModel):
    """One call. `changed`: it answered in a form that is not known; `refused`: Flow, or the browser, said no."""

    model_config = ConfigDict(frozen=True)

    call: str
    state: Literal["ok", "changed", "refused"]
    message: str


async def self_check(calls: Calls) -> tuple[Check, ...]:
    """Credits, the catalogue and the list of projects; the contents of one if there is any.

    Raises:
        NotConnected: no browser is connected.
    """
    lane = calls.lane
    found = [await _try("account.credits", lane, calls.credits)]
    projects: list[str] = []

    async def listed() -> None:
        page, _ = await calls.project_page()
        projects.extend(row.id for row in page)

    found.append(await _try("project.list", lane, listed))
    if lane == "batchexecute" or projects:
        found.append(await _try("account.models", lane, calls.catalogue))
    if projects:
        found.append(await _try("project.contents", lane, lambda: calls.contents(projects[0])))
    return tuple(found)


async def _try(name: str, lane: str, call: Callable[[], Awaitable[Any]]) -> Check:
    try:
        await call()
    except NotConnected:
        raise
    except Transient as error:
        state: Literal["changed", "refused"] = (
            "changed" if "could not be read" in error.message else "refused"
        )
        return Check(call=name, state=state, message=error.message)
    except ProviderError as error:
        return Check(call=name, state="refused", message=error.message)
    return Check(call=name, state="ok", message=f"answers as expected in lane {lane}")
