"""What the tree as a whole must and must not hold."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from house_source import ROOT, files, package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import flowkit_mcp
from flowkit_mcp.bridge.protocol import EXTENSION_ID

LONGEST = 450
TEXT = (".py", ".js", ".md", ".toml", ".txt", ".json", ".html", ".css", ".sql", "Makefile", "run")


def whole(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern written with a break (`~`), so that this file does not hold what it looks for."""
    return re.compile(pattern.replace("~", ""), flags)


REGISTRY = whole(r"pyp~i\.org|python~hosted\.org|registry\.npm~js|deb\.deb~ian\.org")
MACHINE = whole(
    r"/(ro~ot/|work/(ma~in|sha~red|steer~ing|\.lib~rary)|fa~rm/|opt/py~pi|tmp/bash~_jobs)"
)
DISGUISE = whole(
    r"declarativeNet~Request|modify~Headers|2~captcha|cap~solver|anti-?~captcha|x-browser-~validation",
    re.IGNORECASE,
)
UNFINISHED = whole(r"NotImplemented~Error|\bTO~DO\b|\bFIX~ME\b|\bXX~X\b")
CREDENTIAL = whole(r"ya29\.~[A-Za-z0-9_-]{20,}|AIza~[0-9A-Za-z_-]{30,}")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_with(
    pattern: re.Pattern[str], *suffixes: str, under: tuple[str, ...] = ("",)
) -> list[str]:
    return [
        f"{name(path)}:{number} {line.strip()[:80]}"
        for path in files(*suffixes)
        if name(path).startswith(under)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_every_source_file_can_be_read_in_one_sitting() -> None:
    sizes = {name(p): len(p.read_text(encoding="utf-8").splitlines()) for p in files(".py", ".js")}
    long = {path: size for path, size in sizes.items() if size > LONGEST}
    assert not long, f"more than {LONGEST} lines; is there a room of its own in each? {long}"


def test_no_address_of_a_package_registry_is_in_the_tree() -> None:
    assert not (found := lines_with(REGISTRY, *TEXT)), "\n".join(found)


def test_no_path_of_a_builders_machine_is_in_the_tree() -> None:
    assert not (found := lines_with(MACHINE, *TEXT)), "\n".join(found)


def test_nothing_disguises_itself() -> None:
    found = lines_with(DISGUISE, *TEXT, under=("extension/", "flowkit_mcp/", "skills/"))
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished() -> None:
    assert not (found := lines_with(UNFINISHED, ".py", ".js", ".sql")), "\n".join(found)


def test_nothing_looks_like_a_real_credential() -> None:
    assert not (found := lines_with(CREDENTIAL, *TEXT)), "\n".join(found)


def test_every_module_starts_with_what_it_is_for() -> None:
    silent = [s.name for s in package() if s.text.strip() and not s.text.startswith('"""')]
    assert not silent, silent


def test_the_public_names_are_the_ones_that_are_exported() -> None:
    """What type checkers see (`from flowkit_mcp.… import name`), what `__all__` says, what there is."""
    promised = set(flowkit_mcp.__all__)
    assert len(promised) == len(flowkit_mcp.__all__)
    face = next(source for source in package() if source.name == "__init__.py")
    declared = {imported for _, imported in face.imports() if imported.startswith("flowkit_mcp.")}
    assert promised == {imported.split(".")[-1] for imported in declared} | {"__version__"}
    for imported in declared:
        home, _, public = imported.rpartition(".")
        there = importlib.import_module(imported if home == "flowkit_mcp" else home)
        assert getattr(flowkit_mcp, public) is (
            there if home == "flowkit_mcp" else getattr(there, public)
        )


def test_each_module_of_the_package_can_be_imported() -> None:
    for source in package():
        if source.path.name != "__main__.py":
            parts = source.path.relative_to(ROOT).with_suffix("").parts
            importlib.import_module(".".join(part for part in parts if part != "__init__"))


def test_the_extensions_key_leads_to_the_id_that_the_bridge_expects() -> None:
    """Chrome's rule: the first 16 bytes of SHA-256 of the key, in letters a to p."""
    manifest = json.loads((ROOT / "extension/manifest.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(base64.b64decode(manifest["key"])).hexdigest()[:32]
    assert digest.translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop")) == EXTENSION_ID


def test_the_wheel_brings_the_extension_the_skills_and_the_types(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("extension", "skills"):
        ours = [path.relative_to(ROOT) for path in tracked(folder)]
        assert ours
        missing = [str(p) for p in ours if f"flowkit_mcp/_bundled/{p.as_posix()}" not in held]
        assert not missing, missing
    package_files = {path.relative_to(ROOT).as_posix() for path in tracked("flowkit_mcp")}
    assert package_files <= held, package_files - held
    assert "flowkit_mcp/py.typed" in held
    ends = ("/LICENSE", "/NOTICE")
    assert all(any(item.endswith(end) for item in held) for end in ends)
    roots = {item.split("/")[0] for item in held}
    assert roots == {"flowkit_mcp", f"flowkit_mcp-{flowkit_mcp.__version__}.dist-info"}


def tracked(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins() -> list[Requirement]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]


def test_constraints_are_exact_versions_without_addresses_or_hashes(
    pins: list[Requirement],
) -> None:
    for pin in pins:
        assert pin.url is None
        assert [s.operator for s in pin.specifier] == ["=="], pin
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_dependency_is_pinned_once_and_within_its_bounds(
    python: str, pyproject: dict[str, dict[str, list[str]]], pins: list[Requirement]
) -> None:
    wanted = pyproject["project"]["dependencies"] + pyproject["dependency-groups"]["dev"]
    for requirement in map(Requirement, [*wanted, "pip", "hatchling"]):
        versions = [
            next(iter(pin.specifier)).version
            for pin in pins
            if canonicalize_name(pin.name) == canonicalize_name(requirement.name)
            if pin.marker is None or pin.marker.evaluate({"python_version": python})
        ]
        assert len(versions) == 1, (requirement, versions)
        assert requirement.specifier.contains(versions[0]), (requirement, versions)


def test_make_alone_explains_itself() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    for target in ("demo", "test", "check"):
        assert f"make {target} " in shown.stdout
