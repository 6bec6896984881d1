"""What the command line says and leaves behind, without a server running."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import flowkit_mcp
from flowkit_mcp.bridge.pairing import PairingBook, PairingCode
from flowkit_mcp.cli.demo_progress import Journey, stage
from flowkit_mcp.cli.demo_report import next_steps
from flowkit_mcp.cli.library import claim, settings_for, synced_by
from flowkit_mcp.cli.pair import revoke
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict

COMMANDS = ("serve", "demo", "worker", "pair", "extension", "simulate", "doctor", "status")


class Shell:
    """Runs `flowkit-mcp` on a library of its own."""

    def __init__(self, library: Path, port: int) -> None:
        self.library = library
        self._port = port

    def __call__(
        self, *arguments: str, stdin: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("FLOWKIT_")}
        env |= {"FLOWKIT_LIBRARY": str(self.library), "FLOWKIT_PORT": str(self._port), **settings}
        return subprocess.run(
            [sys.executable, "-m", "flowkit_mcp", *arguments],
            input=stdin,
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "library", free_ports(1)[0])


def test_help_names_every_command_and_says_what_it_does(shell: Shell) -> None:
    told = shell("--help")
    assert told.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z].+\.$", told.stdout, re.MULTILINE), command


def test_the_version_is_the_packages(shell: Shell) -> None:
    assert shell("--version").stdout == f"flowkit-mcp {flowkit_mcp.__version__}\n"


def test_what_a_client_waits_for_loads_nothing_it_does_not_need() -> None:
    """`serve` up to the server itself, and `--version`."""
    code = (
        "import sys; import flowkit_mcp.cli.main; "
        "print([m for m in ('av','PIL','rich','numpy','mcp','aiosqlite','httpx2') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert told.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [("serve", "--port", "80"), ("simulate", "--tier", "gold"), ("dance",)]
)
def test_a_wrong_option_is_told_without_a_traceback(shell: Shell, arguments: tuple[str]) -> None:
    told = shell(*arguments)
    assert told.returncode == 2
    assert "Error" in told.stderr
    assert "Traceback" not in told.stderr
    assert not shell.library.exists()


@pytest.mark.parametrize("command", ["serve", "worker", "studio"])
def test_whatever_works_in_a_library_looks_at_flowkit_simulate(shell: Shell, command: str) -> None:
    told = shell(command, FLOWKIT_SIMULATE="perhaps")
    assert told.returncode == 1
    assert told.stderr.startswith("INVALID_SETTING: FLOWKIT_SIMULATE is 'perhaps'")
    assert not shell.library.exists()


@pytest.mark.parametrize("command", [("status",), ("youtube", "status")])
def test_an_error_is_one_line_with_a_code_and_the_next_step(
    shell: Shell, command: tuple[str, ...]
) -> None:
    told = shell(*command)
    assert told.returncode == 1
    assert re.fullmatch(r"NOT_FOUND: .+\. .+\.\n", told.stderr)
    assert told.stdout == ""
    assert not shell.library.exists(), "looking makes nothing"


def test_a_library_that_is_a_file_is_told_with_the_next_step(shell: Shell) -> None:
    shell.library.write_text("mine", encoding="utf-8")
    for command in ("status", "worker"):
        told = shell(command)
        assert told.returncode == 1
        assert told.stderr.endswith("Choose another folder with --library.\n"), told.stderr


def test_pair_prints_a_code_that_only_its_owner_can_read(shell: Shell) -> None:
    told = shell("pair")
    line = told.stdout.splitlines()[0]
    code = PairingCode.parse(line)
    assert told.stdout.count(line) == 1
    assert line not in told.stderr
    file = shell.library / ".flowkit" / "pairing.json"
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert code.secret.hex() not in repr(code)
    others = [path for path in shell.library.rglob("*") if path.is_file() and path != file]
    assert not any(code.secret.hex() in path.read_text(encoding="utf-8") for path in others)


def test_paired_profiles_are_listed_and_can_be_forgotten(shell: Shell) -> None:
    assert "No browser is paired" in shell("pair", "--list").stdout
    book = PairingBook(shell.library / ".flowkit" / "pairing.json", Clock())
    book.confirm("ab" * 16, b"k" * 32, "Chrome at home")
    assert "Chrome at home" in shell("pair", "--list").stdout
    assert shell("pair", "--revoke", "cd").stderr.startswith("NOT_FOUND: ")
    assert "must pair again" in shell("pair", "--revoke", "abab").stdout
    assert book.profiles() == []


def test_a_profile_is_forgotten_by_its_label_and_two_of_one_name_are_told_apart(
    tmp_path: Path,
) -> None:
    settings = Settings(library=tmp_path)
    book = PairingBook(settings.pairing_file, Clock())
    for instance, label in (("ab" * 16, "Chrome"), ("cd" * 16, "Chrome"), ("ef" * 16, "ab")):
        book.confirm(instance, b"k" * 32, label)
    with pytest.raises(Conflict, match="2 profiles"):
        revoke(settings, "chrome")
    assert "Forgotten: efef" in revoke(settings, "ab"), "a label goes before the beginning of an id"
    assert "Forgotten: cdcd" in revoke(settings, "CDCD")
    assert [profile.instance for profile in book.profiles()] == ["ab" * 16]


def test_doctor_finds_nothing_broken_where_nothing_is_yet(shell: Shell) -> None:
    told = shell("doctor", "--json")
    assert told.returncode == 0, told.stdout
    report = json.loads(told.stdout)
    assert report["ok"] is True
    checks = {check["name"]: check for check in report["checks"]}
    assert {"FlowKit", "library", "ffmpeg", "database", "worker", "bridge", "pairing"} <= set(
        checks
    )
    assert re.match(r"\S+ at \S+", checks["ffmpeg"]["found"])
    assert "SQLite 3." in checks["database"]["found"]
    assert all(check["next"] for check in report["checks"] if check["verdict"] != "ok")
    assert not shell.library.exists(), "looking makes nothing"


def test_doctor_says_what_is_broken_and_exits_with_1(shell: Shell) -> None:
    state = shell.library / ".flowkit"
    state.mkdir(parents=True)
    (state / "flowkit.db").write_bytes(b"this is no database, and long enough to tell" * 40)
    told = shell("doctor")
    assert told.returncode == 1
    assert re.search(r"^BROKEN +database: damaged", told.stdout, re.MULTILINE), told.stdout
    assert "Traceback" not in told.stderr


def test_a_synced_folder_is_noticed() -> None:
    assert synced_by(Path("/home/ann/Dropbox/films")) == "Dropbox"
    assert synced_by(Path("/Users/ann/Library/Mobile Documents/films")) == "Mobile Documents"
    assert synced_by(Path("/home/ann/films")) is None


def test_a_real_library_refuses_the_simulator(shell: Shell) -> None:
    shell("pair")
    for command in ("simulate", "serve --simulate", "worker --simulate"):
        told = shell(*command.split())
        assert told.returncode == 1
        assert told.stderr.startswith("CONFLICT: ")
        assert "real work" in told.stderr


def test_a_simulated_library_refuses_real_work(tmp_path: Path) -> None:
    address = {"FLOWKIT_SIMULATOR": "http://127.0.0.1:47999"}
    made = claim(tmp_path / "library", env=address)
    assert made.simulated
    with pytest.raises(Conflict, match="--simulate"):
        claim(tmp_path / "library", env={})
    assert settings_for(tmp_path / "library", env={}).simulated, "looking follows the mark"
    assert claim(tmp_path / "library", env={}, simulated=True).simulated


def test_the_two_kinds_have_different_folders_from_the_start() -> None:
    address = {"FLOWKIT_SIMULATOR": "http://127.0.0.1:47999"}
    assert Settings.load({}).library != Settings.load(address).library


def test_progress_away_from_a_terminal_is_plain_lines() -> None:
    out = io.StringIO()
    with stage(out) as where:
        journey = Journey({"Clips": 10, "Films": 2}, where.show, clock=lambda: 0.0)
        journey.enter("Clips")
        journey.at(1, 4)
        journey.at(1.2, 4)  # the same count, at once: not told again
        journey.at(4, 4)
        where.say("done")
    lines = [line.split(" s  ", 1)[1] for line in out.getvalue().splitlines()]
    assert [line.split(",")[0] for line in lines] == [
        "[1/2] Clips",
        "[1/2] Clips: 1 of 4",
        "[1/2] Clips: 4 of 4",
        "done",
    ]
    assert all(re.search(r"about \d+ s left$", line) for line in lines[:3])


def test_the_estimate_learns_how_fast_this_machine_is() -> None:
    told: list[str] = []
    now = 0.0

    def left() -> int:
        match = re.search(r"about (\d+) s left", told[-1])
        assert match is not None
        return int(match[1])

    journey = Journey({"a": 10, "b": 10}, lambda _, text: told.append(text), clock=lambda: now)
    journey.enter("a")
    assert left() == 20
    now = 20.0
    journey.at(2, 2)  # twice as slow as usual
    assert left() == 20
    journey.enter("b")
    now = 30.0
    journey.at(1, 2)
    assert left() == 10


def test_the_demos_next_steps_can_be_copied_though_the_program_is_not_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    *_, last = next_steps(tmp_path)
    program = shlex.split(last.partition(": ")[2])[0]
    assert Path(program).is_absolute() and Path(program).is_file()
