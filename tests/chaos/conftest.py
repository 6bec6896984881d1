"""`--seed` and `--jobs` of the chaos runs; pytest knows them when it is started on this folder (`make chaos`)."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="seed of the chaos runs")
    parser.addoption("--jobs", type=int, default=300, help="jobs of each chaos run")


@pytest.fixture
def chaos_seed(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--seed", default=1)))


@pytest.fixture
def chaos_jobs(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--jobs", default=300)))
