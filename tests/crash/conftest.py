"""`--seed` and `--kills` of the walks (known when pytest is started on this folder)."""

from __future__ import annotations

import contextlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    with contextlib.suppress(ValueError):  # the chaos runs have a --seed too
        parser.addoption("--seed", type=int, default=1, help="seed of the walks")
    parser.addoption("--kills", type=int, default=120, help="kills of the walk through both lanes")


@pytest.fixture
def walk_seed(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--seed", default=1)))


@pytest.fixture
def walk_kills(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--kills", default=120)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A long walk may take as long as it takes; a marker that a fixture adds comes too late."""
    kills = int(str(config.getoption("--kills", default=120)))
    for item in items:
        if "walk_kills" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300 + 4 * kills))
