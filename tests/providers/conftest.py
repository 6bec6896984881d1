"""A provider whose browser answers what the test has scripted."""

from __future__ import annotations

import pytest
from scripted_flow import ScriptedChannel

from flowkit_mcp.clock import Clock
from flowkit_mcp.providers.flow.provider import FlowProvider


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def provider(channel: ScriptedChannel) -> FlowProvider:
    return FlowProvider(channel, clock=Clock())
