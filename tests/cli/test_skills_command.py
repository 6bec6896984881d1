"""`flowkit-mcp skills`: the bundled skills where an agent looks for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flowkit_mcp.bundled import bundled
from flowkit_mcp.cli.main import app
from flowkit_mcp.cli.skills import install, names
from flowkit_mcp.errors import Conflict


def held(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_they_are_copied_byte_for_byte_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "skills" / "of-mine").mkdir(parents=True)
    (tmp_path / "skills" / "of-mine" / "SKILL.md").write_text("mine", encoding="utf-8")
    shown = CliRunner().invoke(app, ["skills", str(tmp_path / "skills")])
    assert shown.exit_code == 0 and "7 skills" in shown.stdout
    ours = held(bundled("skills"))
    assert held(tmp_path / "skills") == ours | {"of-mine/SKILL.md": b"mine"}


def test_an_earlier_copy_is_replaced_whole(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "flowkit-story" / "left-over.md").write_text("old", encoding="utf-8")
    (tmp_path / "flowkit-shoot" / "SKILL.md").write_text(
        "---\nname: flowkit-shoot\n---\nold", encoding="utf-8"
    )
    install(tmp_path)
    assert held(tmp_path) == held(bundled("skills"))


def test_something_else_under_a_skills_name_stops_it_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "flowkit-story").mkdir()
    (tmp_path / "flowkit-story" / "SKILL.md").write_text("a novel", encoding="utf-8")
    with pytest.raises(Conflict, match="something else"):
        install(tmp_path)
    assert held(tmp_path) == {"flowkit-story/SKILL.md": b"a novel"}


def test_a_copy_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path)
    (tmp_path / "flowkit-doctor" / "mine.md").write_text("a note", encoding="utf-8")
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(Conflict, match="cannot be written"):
        install(tmp_path)
    assert held(tmp_path) == held(bundled("skills")) | {"flowkit-doctor/mine.md": b"a note"}


def test_without_a_folder_it_lists_them_and_says_where_agents_look() -> None:
    shown = CliRunner().invoke(app, ["skills"])
    assert shown.exit_code == 0
    assert len(names()) == 7 and all(name in shown.stdout for name in names())
    assert ".claude/skills" in shown.stdout
