"""What `make` says on a machine that lacks something: one line, with the command that installs it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from house_source import ROOT

SCRIPT = str(ROOT / "scripts/prepare.py")


def prepare(before: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script in a Python that has first been made poorer."""
    program = f"import runpy, sys; {before}; sys.argv = [{SCRIPT!r}, {str(folder)!r}]"
    return subprocess.run(
        [sys.executable, "-c", f"{program}; runpy.run_path(sys.argv[0], run_name='__main__')"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_venv_module_is_named_with_the_package_that_brings_it(
    module: str, tmp_path: Path
) -> None:
    said = prepare(f"sys.modules[{module!r}] = None", tmp_path / "venv")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "lacks its venv module" in said.stderr
    assert "apt-get install python3" in said.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_too_old_is_told_which_one_is_needed(tmp_path: Path) -> None:
    said = prepare("sys.version_info = (3, 9, 18)", tmp_path / "venv")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "is Python 3.9, FlowKit needs 3.11 or newer" in said.stderr


def test_the_script_reads_on_pythons_that_are_too_old() -> None:
    ast.parse(Path(SCRIPT).read_text(encoding="utf-8"), feature_version=(3, 7))
