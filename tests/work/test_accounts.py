"""An account whose name is known only later is the same account, if that can be proved."""

from __future__ import annotations

import asyncio

import pytest
from fake_provider import FakeProvider
from film import account_seen, good, scene_of

from flowkit_mcp import FlowKit, Orientation, Scene, Settings
from flowkit_mcp.domain.models import Account
from flowkit_mcp.store import operations

pytestmark = pytest.mark.e2e
H = Orientation.HORIZONTAL


async def _made_nameless(kit: FlowKit, provider: FakeProvider) -> Scene:
    await account_seen(kit)
    provider.label = "browser profile-"
    scene = await scene_of(kit)
    result = good(await scene.execute_generate_image(H))
    (op,) = await operations.operations(kit.db, result.job_id)
    assert op.account == "browser profile-"
    return scene


async def test_what_was_made_before_the_name_was_known_belongs_to_the_named_account(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await _made_nameless(kit, provider)
    provider.label = "mai"
    good(await scene.execute_generate_video(H))
    assert (provider.projects, provider.uploads) == (["Harbour film"], [])
    found = await kit.db.all("SELECT DISTINCT account FROM operation")
    assert found == [{"account": "mai"}]


async def test_a_named_account_that_does_not_see_the_earlier_results_is_another(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await _made_nameless(kit, provider)
    provider.label = "minh"
    provider.ledger.clear()
    good(await scene.execute_generate_video(H))
    assert (len(provider.projects), len(provider.uploads)) == (2, 1)
    found = await kit.db.all("SELECT account FROM operation ORDER BY id")
    assert [row["account"] for row in found] == ["browser profile-", "minh"]


async def test_an_account_that_changes_while_it_is_read_is_read_again_at_once(
    settings: Settings,
) -> None:
    """Nothing is sent as somebody who has not been read; the next regular look is a minute away."""

    class Changing(FakeProvider):
        async def account(self) -> Account:
            seen = await super().account()
            self.label = "mai"
            return seen

    provider = Changing()
    async with FlowKit.open(settings, provider=provider) as kit, asyncio.timeout(30):
        await account_seen(kit)
        result = good(await (await scene_of(kit)).execute_generate_image(H))
        (op,) = await operations.operations(kit.db, result.job_id)
        assert op.account == "mai"
