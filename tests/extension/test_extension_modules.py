"""The extension's modules: their own tests under Node, and what they share with Python held side by side."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from panel.panel_states import WORKER_SAYS

from flowkit_mcp.bridge import pairing, protocol
from flowkit_mcp.bridge.pairing import PairingCode
from flowkit_mcp.simulator import browser_calls

pytestmark = pytest.mark.node

HERE = Path(__file__).parent
EXTENSION = HERE.parents[1] / "extension"


def node(*arguments: str) -> str:
    binary = shutil.which("node")
    assert binary is not None, "these tests need Node.js 20 or newer"
    ran = subprocess.run(
        [binary, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def from_module(name: str, expression: str) -> Any:
    """The value of an expression over the exports `m` of a module."""
    address = (EXTENSION / "lib" / name).as_uri()
    script = f'const m = await import("{address}"); console.log(JSON.stringify({expression}));'
    return json.loads(node("--input-type=module", "--eval", script))


def test_the_modules_pass_their_own_tests() -> None:
    tests = [str(file) for file in sorted(HERE.glob("*.test.mjs"))]
    assert tests
    told = node("--test", "--test-timeout=20000", "--test-reporter=tap", *tests)
    assert "# fail 0" in told
    assert "# skipped 0" in told


def test_the_pairing_vectors_are_what_python_computes() -> None:
    vectors = json.loads((HERE / "pairing_vectors.json").read_text(encoding="utf-8"))
    assert vectors
    for vector in vectors:
        code = PairingCode.parse(vector["code"])
        key = pairing.profile_key(code.secret, vector["instance"])
        for side in ("srv", "ext"):
            expected = pairing.proof(
                key,
                side,
                vector["port"],
                vector["instance"],
                vector["extNonce"],
                vector["srvNonce"],
                vector["generation"],
            )
            assert vector[side] == expected


def test_both_ends_have_the_same_table_of_calls() -> None:
    theirs = from_module("flow_api.js", "{ batch: m.BATCHEXECUTE, labs: m.LABS_CALLS }")
    batch = {
        name: {
            "lane": "batchexecute",
            "rpc": row.rpc,
            "captcha": row.captcha,
            "paid": row.paid,
            "limitS": row.limit_s,
        }
        for name, row in browser_calls.BATCHEXECUTE.items()
    }
    labs = {
        name: {
            "lane": "labs",
            "method": row.method,
            "host": row.host,
            "path": row.path,
            "query": list(row.query),
            "captcha": row.captcha,
            "paid": row.paid,
            "limitS": row.limit_s,
        }
        for name, row in browser_calls.LABS.items()
    }
    assert theirs["batch"] == batch
    assert theirs["labs"] == labs


def test_both_ends_have_the_same_numbers() -> None:
    theirs = from_module("protocol.js", "{ ...m }")
    assert theirs["PROTOCOL"] == protocol.PROTOCOL
    assert theirs["PATH"] == protocol.PATH
    assert theirs["RECAPTCHA"] == protocol.RECAPTCHA
    assert theirs["MAX_MESSAGE"] == protocol.MAX_MESSAGE
    assert theirs["MAX_HANDSHAKE_MESSAGE"] == protocol.MAX_HANDSHAKE_MESSAGE
    assert theirs["HANDSHAKE_LIMIT_MS"] == protocol.HANDSHAKE_LIMIT_S * 1000
    assert theirs["PING_EVERY_MS"] == protocol.PING_EVERY_S * 1000
    assert theirs["SILENCE_LIMIT_MS"] == protocol.SILENCE_LIMIT_S * 1000
    assert theirs["ASKING_LIMIT_MS"] == protocol.ASKING_LIMIT_S * 1000


def test_the_panel_is_pictured_with_the_words_that_the_worker_says() -> None:
    names = json.dumps(list(WORKER_SAYS))
    said = from_module("flow_words.js", f"{names}.map((name) => m.words(name))")
    told = {one["state"]: (one["message"], one["next_step"]) for one in said}
    assert told == WORKER_SAYS


def test_every_error_of_the_extension_is_one_that_the_server_knows() -> None:
    known = set(protocol.CallError.model_fields["code"].annotation.__args__)  # pyright: ignore[reportOptionalMemberAccess]
    sources = [*EXTENSION.glob("lib/*.js"), *EXTENSION.glob("lib/lanes/*.js")]
    used: set[str] = set()
    for file in sources:
        text = file.read_text(encoding="utf-8")
        for piece in text.split("new CannotCall(")[1:]:
            code = piece.lstrip().partition(",")[0].strip()
            if code.startswith('"'):
                used.add(code.strip('"'))
    assert used >= {"PAUSED", "LOST", "NO_FLOW_TAB", "WITHDRAWN", "REFUSED_BY_PERSON"}
    assert used - {"REFUSED"} <= known  # REFUSED is for the panel and crosses no bridge
