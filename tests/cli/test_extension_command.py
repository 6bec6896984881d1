"""`flowkit-mcp extension`: the bundled extension in a folder of the person's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowkit_mcp.bundled import bundled
from flowkit_mcp.cli.extension import unpack
from flowkit_mcp.errors import Conflict


def held(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_all_of_it_is_unpacked_and_the_steps_name_the_folder(tmp_path: Path) -> None:
    told = unpack(tmp_path / "new" / "extension")
    assert held(tmp_path / "new" / "extension") == held(bundled("extension"))
    assert told.startswith(str(tmp_path / "new" / "extension"))
    for step in ("chrome://extensions", "Developer mode", "Load unpacked", "flowkit-mcp pair"):
        assert step in told
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["extension"]


def test_an_earlier_copy_is_replaced_whole(tmp_path: Path) -> None:
    unpack(tmp_path / "extension")
    (tmp_path / "extension" / "left-over.js").write_text("old", encoding="utf-8")
    manifest = tmp_path / "extension" / "manifest.json"
    old = json.loads(manifest.read_text(encoding="utf-8")) | {"version": "0.0.1"}
    manifest.write_text(json.dumps(old), encoding="utf-8")
    told = unpack(tmp_path / "extension")
    assert held(tmp_path / "extension") == held(bundled("extension"))
    assert "round arrow" in told and "Load unpacked" not in told


@pytest.mark.parametrize("content", ["{}", '{"key": "of another extension"}', "no json", "[1]"])
def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(Conflict, match="something else"):
        unpack(tmp_path)
    assert (tmp_path / "manifest.json").read_text(encoding="utf-8") == content


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict):
        unpack(tmp_path / "file")
    with pytest.raises(Conflict, match="cannot be written"):
        unpack(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    unpack(tmp_path)
    assert held(tmp_path) == held(bundled("extension"))
