"""The log on disk: it is there, it stays small, and no secret gets into it."""

from __future__ import annotations

import logging
import stat
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from flowkit_mcp.config import Settings
from flowkit_mcp.server import logs


@pytest.fixture(autouse=True)
def own_logging() -> Generator[None]:
    """What `start` adds is for the whole process; here it goes again after each test."""
    root, ours = logging.getLogger(), logging.getLogger("flowkit")
    level, our_level = root.level, ours.level
    yield
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, logs.Redacting):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    ours.setLevel(our_level)


def written(settings: Settings) -> str:
    files = sorted(logs.folder_of(settings).iterdir())
    return "".join(file.read_text(encoding="utf-8") for file in files)


#: What is logged, and what of it must be nowhere.
SECRETS = (
    ("ya29" + ".not-real_token", ["not-real_token"]),
    ("Bearer abc.def-123", ["abc.def-123"]),
    ("SAPISIDHASH 1790000000_abcdef", ["1790000000", "abcdef"]),
    ("https://storage.example.invalid/clip.mp4?X-Signature=4f2a&Expires=99", ["4f2a", "Expires"]),
    ("Cookie: SID=notreal; HSID=noreal", ["notreal", "noreal"]),
    ("03AFcWeA" + "x" * 200, ["x" * 50]),
    ("Authorization: Bearer abc123short", ["abc123short"]),
    ("authorization: SAPISIDHASH 17_dead SAPISID1PHASH 17_beef", ["17_dead", "17_beef"]),
    ("SAPISID3PHASH 17_cafe", ["17_cafe"]),
    ("Cookie: SID=quoqua; HSID=quoque; X=quoqui", ["quoqua", "quoque", "quoqui"]),
    ("('cookie', 'SID=quoqua; HSID=quoque')", ["quoqua", "quoque"]),
    ("[(b'Set-Cookie', b'SID=\"quoqua\"; HSID=quoque')]", ["quoqua", "quoque"]),
    ("cookies={'SID': 'quoqua', 'HSID': 'quoque'}", ["quoqua", "quoque"]),
    (r'"{\"authorization\": \"Basic quoqua\"}"', ["quoqua"]),
)


@pytest.mark.parametrize(("secret", "values"), SECRETS, ids=[text[:30] for text, _ in SECRETS])
def test_a_secret_reaches_neither_the_disk_nor_stderr_not_even_in_a_traceback(
    settings: Settings, capsys: pytest.CaptureFixture[str], secret: str, values: list[str]
) -> None:
    logs.start(settings)
    log = logging.getLogger("flowkit.work")
    log.warning("it went wrong, the call with %s", secret)
    try:
        raise RuntimeError(f"no luck with {secret}")
    except RuntimeError:
        log.exception("the term ended")
    for text in (written(settings), capsys.readouterr().err):
        assert "it went wrong, the call with" in text and "no luck with" in text
        assert "RuntimeError" in text and "the term ended" in text
        assert secret not in text
        for value in values:
            assert value in secret and value not in text


@pytest.mark.parametrize(
    "words",
    [
        "the cookie, once it is there, is the browser's",
        "GET https://labs.example.invalid/fx/tools/flow said 503",
        "job 3 of video 'Fox' (VERTICAL) waits for its authorization",
    ],
)
def test_what_is_no_secret_is_told_as_it_is(words: str) -> None:
    assert logs.redact(words) == words


def test_flowkits_notes_are_on_disk_and_only_warnings_on_stderr(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.start(settings)
    logging.getLogger("flowkit.work").info("leading, generation 3")
    logging.getLogger("httpx2").info("GET of an address")
    text = written(settings)
    assert "leading, generation 3" in text and "GET of" not in text
    assert capsys.readouterr().err == ""
    if sys.platform != "win32":
        assert stat.S_IMODE(logs.folder_of(settings).stat().st_mode) == 0o700


def test_a_log_is_rotated_and_of_many_processes_the_newest_are_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST_BYTES", 2000)
    folder = logs.folder_of(settings)
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"flowkit-9{number:05d}.log").write_text("of a process long gone")
    logs.start(settings)
    for number in range(200):
        logging.getLogger("flowkit.work").info("line %d", number)
    files = list(folder.iterdir())
    assert len(files) <= logs.KEPT_FILES + 1
    assert max(file.stat().st_size for file in files) <= 2000
    assert "line 199" in written(settings)


def test_a_log_that_another_process_forgets_first_costs_this_one_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = logs.folder_of(settings)
    folder.mkdir(parents=True)
    gone = folder / "flowkit-900000.log"
    there = Path.glob

    def listed(self: Path, pattern: str) -> list[Path]:
        return [*there(self, pattern), gone]

    monkeypatch.setattr(Path, "glob", listed)
    logs.start(settings)
    logging.getLogger("flowkit.work").info("still noted")
    assert "still noted" in written(settings)


def test_where_nothing_can_be_written_stderr_is_all(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.library.mkdir()
    settings.state_dir.write_text("a file in the place of the folder")
    logs.start(settings)
    logging.getLogger("flowkit.work").error("still told")
    assert "ERROR flowkit.work: still told" in capsys.readouterr().err
