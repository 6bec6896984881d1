"""The provider contract once more, through a real Chromium with the real extension, in both lanes."""

from __future__ import annotations

import pytest
from contract_world import Browser
from in_chromium import chromium
from test_provider_contract import *  # noqa: F403

pytestmark = pytest.mark.browser


@pytest.fixture
def browser() -> Browser:
    return chromium
