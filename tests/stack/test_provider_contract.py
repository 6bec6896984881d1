"""What any provider promises, kept by Flow's two lanes through a real bridge and a browser (issue B).

Each test runs in both lanes and with every browser of `contract_world.BROWSERS`; nothing here knows a wire format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contract_world import Browser, H, V, World, png, world

from flowkit_mcp.domain.models import Account, MediaKind
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import OutcomeUnknown, Rejected, Transient
from flowkit_mcp.providers.base import CannotTell, ImageUpscaleBrief, NeverSent, Sent
from flowkit_mcp.providers.flow.housekeeping import HouseKeeping

pytestmark = pytest.mark.e2e  # a simulator, a browser and a bridge each

IMAGE, VIDEO = MediaKind.IMAGE, MediaKind.VIDEO
#: By which id the simulator's faults know a call, in both lanes (docs/simulator.md).
RPCS = {"text": "YhhmEf", "start": "eb1hJf", "upscale": "p0UkFb"}


async def keep(at: World, action: str, **given: Any) -> dict[str, Any]:
    return await at.flow.keep_house(Housekeeping.model_validate({"action": action, **given}))


async def listed(at: World) -> dict[str, str]:
    rows = (await keep(at, "list_projects"))["projects"]
    return {row["id"]: row["title"] for row in rows}


async def settled_account(at: World) -> Account:
    """As the worker does: a reading call that says "try again" is tried again."""
    for _ in range(3):
        try:
            return await at.flow.account()
        except Transient:
            continue
    return await at.flow.account()


class TestMaking:
    """Everything that can be made arrives as asked, is charged as announced, and can be fetched."""

    async def test_a_picture(self, pro: World, tmp_path: Path) -> None:
        for orientation, aspect in ((H, 3), (V, 2)):
            brief = pro.picture_brief("a red bicycle", orientation=orientation)
            accepted = await pro.submit(brief)
            data = await pro.fetched(accepted.remote_id, IMAGE, tmp_path / f"{aspect}.part")
            assert data[:3] == b"\xff\xd8\xff"
            sent = pro.wire(accepted.remote_id)
            assert (sent["prompt"], sent["aspect"], sent["seed"]) == (
                "a red bicycle",
                aspect,
                brief.seed,
            )
        assert pro.sim.charged == 0

    async def test_a_picture_with_references_in_their_order(self, pro: World) -> None:
        first, second = await pro.picture("one"), await pro.picture("two")
        accepted = await pro.submit(pro.picture_brief("both", references=(second, first)))
        assert accepted.remote_id not in (first, second)
        sent = pro.wire(accepted.remote_id)
        assert [(one["id"], one["use"]) for one in sent["inputs"]] == [
            (second, "reference"),
            (first, "reference"),
        ]
        assert accepted.warnings == ()

    async def test_an_edit_keeps_shape_and_tile_of_its_base(self, pro: World) -> None:
        base = await pro.picture("a house", orientation=V)
        accepted = await pro.submit(pro.picture_brief("at night", base=base, orientation=V))
        before, after = pro.wire(base), pro.wire(accepted.remote_id)
        assert after["workflow"] == before["workflow"]
        assert (after["width"], after["height"]) == (before["width"], before["height"])
        assert after["inputs"] == [{"id": base, "use": "base"}]

    @pytest.mark.parametrize("mode", ["text", "start", "start_end", "references"])
    @pytest.mark.parametrize("orientation", [H, V])
    async def test_a_clip_in_each_mode(
        self, pro: World, tmp_path: Path, mode: str, orientation: Any
    ) -> None:
        pictures = [await pro.picture(name, orientation=orientation) for name in ("one", "two")]
        inputs: dict[str, Any] = {
            "text": {},
            "start": {"start": pictures[0]},
            "start_end": {"start": pictures[0], "end": pictures[1]},
            "references": {"references": tuple(pictures), "voices": ("charon",)},
        }[mode]
        brief = pro.clip_brief(mode, orientation=orientation, duration_s=4, **inputs)
        accepted = await pro.submit(brief)
        data = await pro.fetched(accepted.remote_id, VIDEO, tmp_path / "clip.part")
        assert data[4:8] == b"ftyp"
        done = await pro.done(accepted.remote_id)
        sent = pro.wire(done.media.remote_id)
        assert (sent["mode"], sent["model"], sent["seconds"]) == (mode, brief.model, 4)
        assert sent["aspect"] == (2 if orientation is H else 1)
        assert [one["id"] for one in sent["inputs"]] == pictures[: len(sent["inputs"])]
        assert len(sent["inputs"]) == {"text": 0, "start": 1}.get(mode, 2)
        assert sent["voices"] == (["charon"] if mode == "references" else [])
        assert accepted.warnings == ()
        assert pro.sim.charged == brief.credits > 0

    async def test_a_clip_goes_on_where_another_ends(self, pro: World) -> None:
        source = await pro.clip(wanted="veo-lite", duration_s=8)
        before = pro.sim.charged
        brief = pro.clip_brief("extend", "she turns around", extends=source)
        accepted = await pro.submit(brief)
        done = await pro.done(accepted.remote_id)
        sent = pro.wire(done.media.remote_id)
        assert (sent["mode"], sent["frames"]) == ("extend", [169, 192])
        assert sent["inputs"] == [{"id": source, "use": "source"}]
        assert pro.sim.charged == before + brief.credits

    async def test_a_larger_clip(self, ultra: World, tmp_path: Path) -> None:
        source = await ultra.clip(wanted="veo-lite", duration_s=8)
        for resolution, suffix in (("1080p", "_upsampled"), ("4K", "_4k_upsampled")):
            before = ultra.sim.charged
            brief = ultra.upscale_brief(source, resolution)
            accepted = await ultra.submit(brief)
            done = await ultra.done(accepted.remote_id)
            assert done.media.remote_id == source + suffix
            await ultra.flow.fetch(done.media, tmp_path / f"{resolution}.part")
            assert ultra.sim.charged == before + brief.credits

    async def test_a_small_clip_at_its_full_size(self, pro: World, tmp_path: Path) -> None:
        source = await pro.clip(wanted="omni", duration_s=4, resolution="360p")
        assert pro.wire(source)["height"] == 360
        accepted = await pro.submit(pro.upscale_brief(source, "720p"))
        done = await pro.done(accepted.remote_id)
        assert pro.wire(done.media.remote_id)["height"] == 720
        await pro.flow.fetch(done.media, tmp_path / "clip.part")

    async def test_an_upscale_that_exists_costs_nothing_and_is_there_at_once(
        self, ultra: World, tmp_path: Path
    ) -> None:
        source = await ultra.clip(wanted="veo-lite", duration_s=8)
        first = await ultra.submit(ultra.upscale_brief(source, "4K"))
        await ultra.done(first.remote_id)
        charged = ultra.sim.charged
        again = await ultra.submit(ultra.upscale_brief(source, "4K"))
        if again.inline is None:
            await ultra.fetched(again.remote_id, VIDEO, tmp_path / "clip.part")
        else:
            assert again.inline[4:8] == b"ftyp"
        assert again.remote_id == f"{source}_4k_upsampled"
        assert ultra.sim.charged == charged

    @pytest.mark.parametrize(("resolution", "times"), [("2K", 2), ("4K", 4)])
    async def test_a_larger_picture(self, ultra: World, resolution: str, times: int) -> None:
        source = await ultra.picture()
        model = ultra.model("upscale_image", resolution=resolution)
        brief = ImageUpscaleBrief.model_validate(
            ultra.common(model) | {"source": source, "resolution": resolution}
        )
        accepted = await ultra.submit(brief)
        assert accepted.inline is not None and accepted.inline[:3] == b"\xff\xd8\xff"
        assert accepted.remote_id != source
        made = [
            one for one in ultra.sim.service.state.media.values() if one.mode == "image_upscale"
        ]
        assert [one.width for one in made] == [ultra.wire(source)["width"] * times]

    async def test_an_upload_can_be_a_first_frame(self, pro: World, tmp_path: Path) -> None:
        uploaded = await pro.flow.upload_image(png(tmp_path), pro.project)
        clip = await pro.clip("start", start=uploaded, duration_s=4)
        assert pro.wire(clip)["inputs"] == [{"id": uploaded, "use": "start"}]
        edited = await pro.picture("in the snow", base=uploaded)
        assert pro.wire(edited)["workflow"] == pro.wire(uploaded)["workflow"]


class TestFinding:
    """A call whose reply is missing is found by what was chosen before it was made, and paid once."""

    @pytest.mark.parametrize("mode", ["text", "start", "upscale"])
    async def test_a_clip_that_was_accepted(self, pro: World, mode: str) -> None:
        source = await pro.clip(wanted="veo-lite", duration_s=8) if mode == "upscale" else ""
        known: dict[str, Any] = {}
        if mode == "upscale":
            brief: Any = pro.upscale_brief(source, "1080p")
            known = {"source": source, "resolution": "1080p"}
        elif mode == "start":
            brief = pro.clip_brief("start", start=await pro.picture(), duration_s=4)
        else:
            brief = pro.clip_brief("text", duration_s=4)
        before, ref = pro.sim.charged, pro.flow.new_client_ref()
        pro.sim.fault(RPCS[mode], "cut_after")
        with pytest.raises(OutcomeUnknown):
            await pro.submit(brief, ref)
        assert pro.sim.charged == before + brief.credits
        found = await pro.flow.look_up(pro.lost(brief, ref, **known))
        assert isinstance(found, Sent), found
        await pro.done(found.submission.remote_id)
        assert pro.sim.charged == before + brief.credits

    async def test_a_picture_that_was_accepted(self, pro: World) -> None:
        brief, ref = pro.picture_brief(), pro.flow.new_client_ref()
        pro.sim.fault("ogiZ0b", "cut_after")
        with pytest.raises(OutcomeUnknown):
            await pro.submit(brief, ref)
        found = await pro.flow.look_up(pro.lost(brief, ref))
        assert isinstance(found, Sent), found
        await pro.done(found.submission.remote_id, IMAGE)

    async def test_a_larger_picture_that_was_lost_may_be_ordered_again_for_nothing(
        self, pro: World
    ) -> None:
        source = await pro.picture()
        model = pro.model("upscale_image", resolution="2K")
        fields = pro.common(model) | {"source": source, "resolution": "2K"}
        brief, ref = ImageUpscaleBrief.model_validate(fields), pro.flow.new_client_ref()
        pro.sim.fault("SPrCad", "cut_after")
        with pytest.raises(OutcomeUnknown):
            await pro.submit(brief, ref)
        found = await pro.flow.look_up(pro.lost(brief, ref, source=source, resolution="2K"))
        # Its id is told nowhere but in the reply, so what is found may be nothing; it is never a guess.
        assert isinstance(found, Sent | CannotTell), found

    async def test_a_call_that_never_arrived_is_proven_so(self, pro: World) -> None:
        proven = pro.flow.new_client_ref()
        accepted = await pro.submit(pro.clip_brief("text", duration_s=4), proven)
        done = await pro.done(accepted.remote_id)
        brief, ref = pro.clip_brief("text", duration_s=4), pro.flow.new_client_ref()
        pro.sim.fault("YhhmEf", "cut_before")
        with pytest.raises(OutcomeUnknown):
            await pro.submit(brief, ref)
        lost = pro.lost(
            brief,
            ref,
            proven=((proven, done.media.remote_id),),
            proven_clips=frozenset({proven}),
            age_s=600.0,
        )
        assert isinstance(await pro.flow.look_up(lost), NeverSent)
        never = pro.lost(brief, pro.flow.new_client_ref())
        assert isinstance(await pro.flow.look_up(never), NeverSent)

    async def test_without_the_rule_of_ids_the_listing_finds_it(self, pro: World) -> None:
        pro.sim.switch(derived_ids=False)
        brief, ref = pro.clip_brief("text", "a very own prompt", duration_s=4), ""
        ref = pro.flow.new_client_ref()
        pro.sim.fault("YhhmEf", "cut_after")
        with pytest.raises(OutcomeUnknown):
            await pro.submit(brief, ref)
        found = await pro.flow.look_up(pro.lost(brief, ref, age_s=600.0))
        assert isinstance(found, Sent), found
        await pro.done(found.submission.remote_id)


class TestHousekeeping:
    """What lies at Flow can be looked at and tidied; none of it costs."""

    async def test_a_project_from_its_name_to_its_end(self, pro: World) -> None:
        other = await pro.flow.create_project("Second")
        assert await listed(pro) == {pro.project: "Contract", other: "Second"}
        await keep(pro, "rename_project", project=other, title="Other")
        assert (await listed(pro))[other] == "Other"
        await keep(pro, "delete_project", project=other)
        assert await listed(pro) == {pro.project: "Contract"}

    async def test_tiles_are_named_trashed_and_taken_back(self, pro: World) -> None:
        base = await pro.picture("a house")
        edit = await pro.picture("at night", base=base)
        tile = pro.wire(base)["workflow"]
        await keep(pro, "rename", project=pro.project, items=[tile], title="The house")
        await keep(pro, "trash", project=pro.project, items=[tile])
        [item] = (await keep(pro, "list_contents", project=pro.project))["items"]
        assert (item["workflow"], item["title"], item["archived"]) == (tile, "The house", True)
        assert {one["id"] for one in item["media"]} == {base, edit}
        assert [one["kind"] for one in item["media"]] == ["image", "image"]
        await keep(pro, "restore", project=pro.project, items=[tile])
        [item] = (await keep(pro, "list_contents", project=pro.project))["items"]
        assert item["archived"] is False

    async def test_a_version_can_be_shown_and_another_deleted(self, pro: World) -> None:
        house = HouseKeeping(pro.flow)
        base = await pro.picture("a house")
        edit = await pro.picture("at night", base=base)
        tile = pro.wire(base)["workflow"]
        await house.show_media(pro.project, tile, edit)
        [row] = (await house.contents(pro.project)).workflows
        assert row.primary == edit
        await house.delete_media(pro.project, [base])
        assert [one.id for one in (await house.contents(pro.project)).media] == [edit]

    async def test_a_character_is_named_described_voiced_and_pictured(self, pro: World) -> None:
        house = HouseKeeping(pro.flow)
        face = await pro.picture("a girl in a yellow coat")
        mai = await house.create_character(pro.project, "Mai")
        await house.rename_character(pro.project, mai, "Mai the Bold")
        await house.describe_character(pro.project, mai, "brave")
        await house.give_voice(pro.project, mai, ["charon"])
        await house.give_portrait(pro.project, mai, face)
        [row] = (await house.contents(pro.project)).characters
        assert (row.id, row.name, row.notes, row.voices) == (
            mai,
            "Mai the Bold",
            "brave",
            ("charon",),
        )
        assert row.primary not in (None, face) and not row.archived
        await house.archive_character(pro.project, mai)
        [row] = (await house.contents(pro.project)).characters
        assert row.archived

    async def test_a_running_clip_is_cancelled_and_refunded_where_the_call_is_known(
        self, pro: World
    ) -> None:
        accepted = await pro.submit(pro.clip_brief("text", "[[stuck]] waves", duration_s=4))
        stopped = await pro.flow.cancel(accepted.remote_id)
        assert stopped is (pro.lane == "labs")
        if not stopped:
            assert pro.sim.charged > 0
            return
        failed = await pro.failed(accepted.remote_id)
        assert failed.error.reason == "CANCELLED"
        assert pro.sim.charged == 0
        assert not await pro.flow.cancel(accepted.remote_id)

    async def test_a_picture_is_not_cancelled(self, pro: World) -> None:
        assert not await pro.flow.cancel(await pro.picture())

    async def test_what_is_not_there_is_said_so(self, pro: World) -> None:
        with pytest.raises(Rejected):
            await keep(pro, "list_contents", project="99999999-9999-4999-8999-999999999999")

    async def test_the_self_check_finds_nothing_and_makes_nothing(self, pro: World) -> None:
        before = len(pro.sim.ledger())
        checks = await pro.flow.self_check()
        assert {check.call: check.state for check in checks} == {
            "account.credits": "ok",
            "project.list": "ok",
            "account.models": "ok",
            "project.contents": "ok",
        }
        assert len(pro.sim.ledger()) == before


class TestAccount:
    """The account is the same whoever looks at it, and may move between two calls."""

    @pytest.mark.parametrize("tier", ["free", "pro", "ultra"])
    async def test_both_lanes_tell_the_same_of_it(
        self, tmp_path: Path, browser: Browser, tier: str
    ) -> None:
        async with world(tmp_path, browser, lane="batchexecute", tier=tier) as one:
            first = one.account
            one.sim.switch(lane="labs")
            second = await settled_account(one)
        assert (first.label, first.tier, first.credits) == (
            second.label,
            second.tier,
            second.credits,
        )
        assert {m.key: m for m in first.models} == {m.key: m for m in second.models}

    async def test_it_moves_between_two_calls_and_nothing_is_lost(self, pro: World) -> None:
        before = pro.lane
        clip = await pro.submit(pro.clip_brief("text", duration_s=4))
        picture = await pro.picture()
        after = "labs" if before == "batchexecute" else "batchexecute"
        pro.sim.switch(lane=after)
        ref = pro.flow.new_client_ref()
        with pytest.raises(Transient, match="other page"):
            await pro.submit(pro.clip_brief("start", start=picture, duration_s=4), ref)
        assert pro.lane == after
        assert isinstance(
            await pro.flow.look_up(pro.lost(pro.clip_brief("text"), ref)), NeverSent | CannotTell
        )
        done = await pro.done(clip.remote_id)
        assert pro.sim.charged == 7
        next_clip = await pro.submit(pro.clip_brief("start", start=picture, duration_s=4))
        await pro.done(next_clip.remote_id)
        assert pro.wire(done.media.remote_id)["mode"] == "text"
        assert pro.sim.charged == 14
