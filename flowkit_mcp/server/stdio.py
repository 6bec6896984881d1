"""A clean life on stdio: nothing but protocol on stdout, and a quick, orderly end on EOF and on signals.

Plain `MCPServer.run()` hangs on SIGINT and dies on SIGTERM without closing anything; clients allow about 490 ms
(mcp.md §3). So a pipe stands in front of stdin: a signal closes it, and everything ends as on end-of-file.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from flowkit_mcp.config import Settings
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.server import logs

_NUMBERS = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


def run(settings: Settings) -> None:
    """Serve until the client hangs up or a signal comes. Returns; the exit code is 0.

    Raises FlowKitError: the library cannot be opened.
    """
    logs.start(settings)
    hang_up = _pump_stdin()
    _heed_signals(hang_up)
    gc.disable()  # 7 % quicker to import without (mcp.md §6)
    # late: half a second of imports, in which signals are heeded already
    from flowkit_mcp.server.curtain import build

    gc.enable()
    gc.freeze()
    refused: FlowKitError | None = None
    try:
        build(settings).run("stdio")
    except* (BrokenPipeError, ConnectionResetError):
        _mute_stdout()  # the client is gone: the same as a hang-up, not a crash
    except* FlowKitError as group:
        refused = _first(group)
    finally:
        _ignore_signals()
    if refused is not None:
        raise refused


def _first(group: BaseExceptionGroup[FlowKitError]) -> FlowKitError:
    """Of a group, however deep."""
    inner = group.exceptions[0]
    return inner if isinstance(inner, FlowKitError) else _first(inner)


def _mute_stdout() -> None:
    """What is left in the buffer has no reader; Python would complain about it at exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _pump_stdin() -> Callable[[], None]:
    """Put a pipe in front of stdin; the function returned ends it, once or several times, whatever is going on."""
    real = os.dup(0)
    out, into = os.pipe()
    os.dup2(out, 0, inheritable=False)
    os.close(out)
    nowhere = os.open(os.devnull, os.O_WRONLY)

    def hang_up() -> None:
        # Not closed: the number would go to the next file that is opened, and the pump may still write to it.
        os.dup2(nowhere, into, inheritable=False)

    def pump() -> None:
        with contextlib.suppress(OSError):  # either end has gone: that is the end
            while data := os.read(real, 1 << 16):
                view = memoryview(data)
                while view:
                    view = view[os.write(into, view) :]
        hang_up()

    threading.Thread(target=pump, daemon=True, name="stdin").start()
    return hang_up


def _heed_signals(hang_up: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        hang_up()

    for number in _NUMBERS:
        signal.signal(number, handle)


def _ignore_signals() -> None:
    """The interpreter forgets handlers as it ends; another signal would then kill what ends in good order."""
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)
