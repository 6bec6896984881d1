"""The manifest asks for no more than extension/README.md justifies, and no file of it goes round that."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from flowkit_mcp.bridge.protocol import EXTENSION_ID

EXTENSION = Path(__file__).parents[2] / "extension"
MANIFEST: dict[str, Any] = json.loads((EXTENSION / "manifest.json").read_text(encoding="utf-8"))
SOURCES = [*EXTENSION.rglob("*.js"), *EXTENSION.rglob("*.html")]


def policy() -> dict[str, list[str]]:
    text = MANIFEST["content_security_policy"]["extension_pages"]
    return {words[0]: words[1:] for part in text.split(";") if (words := part.split())}


def test_the_key_gives_the_id_that_the_server_expects() -> None:
    digest = hashlib.sha256(base64.b64decode(MANIFEST["key"])).hexdigest()[:32]
    assert "".join(chr(ord("a") + int(digit, 16)) for digit in digest) == EXTENSION_ID


def test_it_asks_for_exactly_these_permissions() -> None:
    assert MANIFEST["manifest_version"] == 3
    assert MANIFEST["minimum_chrome_version"] == "120"
    assert sorted(MANIFEST["permissions"]) == [
        "alarms",
        "scripting",
        "sidePanel",
        "storage",
        "webRequest",
    ]
    assert MANIFEST["host_permissions"] == ["https://flow.google.com/*"]
    assert MANIFEST["optional_host_permissions"] == [
        "https://labs.google/*",
        "https://aisandbox-pa.googleapis.com/*",
    ]
    readme = (EXTENSION / "README.md").read_text(encoding="utf-8")
    for wanted in (*MANIFEST["permissions"], *MANIFEST["host_permissions"]):
        assert f"`{wanted}`" in readme


def test_it_has_no_other_door() -> None:
    assert set(MANIFEST) == {
        "manifest_version",
        "name",
        "version",
        "description",
        "minimum_chrome_version",
        "incognito",
        "key",
        "icons",
        "permissions",
        "host_permissions",
        "optional_host_permissions",
        "background",
        "action",
        "side_panel",
        "content_security_policy",
    }


def test_it_never_works_in_incognito_windows() -> None:
    """They have other cookies: their tabs would be taken for tabs of the same accounts."""
    assert MANIFEST["incognito"] == "not_allowed"


def test_its_pages_and_worker_reach_flowkit_and_nothing_else() -> None:
    rules = policy()
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == ["'self'"]
    assert rules["connect-src"] == ["ws://127.0.0.1:*"]
    assert rules["frame-ancestors"] == ["'none'"]
    everything = " ".join(" ".join(values) for values in rules.values())
    assert "unsafe" not in everything
    assert "https:" not in everything


def test_all_files_it_names_are_there() -> None:
    named = [
        MANIFEST["background"]["service_worker"],
        MANIFEST["side_panel"]["default_path"],
        *MANIFEST["icons"].values(),
    ]
    for name in named:
        assert (EXTENSION / name).is_file(), name


def test_nothing_rewrites_headers_evaluates_text_or_loads_code() -> None:
    forbidden = re.compile(
        r"declarative(?:Net)|\beval\(|new Function|importScripts|innerHTML|document\.write"
        r"|[\"']blocking[\"']|extraHeaders|chrome\.cookies|chrome\.debugger|onMessageExternal|onConnectExternal"
    )
    for file in SOURCES:
        found = forbidden.search(file.read_text(encoding="utf-8"))
        assert found is None, f"{file.name}: {found and found[0]}"


def test_only_functions_that_are_sent_into_the_page_fetch_anything() -> None:
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        if file.parent.name != "page":
            assert not re.search(r"\bfetch\(|XMLHttpRequest|sendBeacon|EventSource", text), (
                file.name
            )


def test_functions_that_are_sent_into_the_page_stand_alone() -> None:
    for file in (EXTENSION / "page").glob("*.js"):
        assert not re.search(r"^import\b", file.read_text(encoding="utf-8"), re.MULTILINE), (
            file.name
        )


def test_module_files_stay_small() -> None:
    for file in EXTENSION.rglob("*.js"):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        assert lines <= 300, f"{file.name} has {lines} lines"
