"""Each error of flow-wire §9 that the simulator can be ordered to give, in both lanes: its meaning and its charge."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from contract_world import Browser, World, png, world

from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import (
    GenerationFailed,
    HumanCheckRequired,
    OutcomeUnknown,
    OutOfCredits,
    ProviderError,
    QuotaUsedUp,
    RateLimited,
    Rejected,
    SignInRequired,
    Transient,
)
from flowkit_mcp.providers.base import Done, NeverSent, Pending, Sent

pytestmark = pytest.mark.e2e  # a simulator, a browser and a bridge each

VIDEO = MediaKind.VIDEO


class Row(NamedTuple):
    """A fault of the simulator: the error it means, its reason, and whether the clip was made all the same."""

    error: type[ProviderError]
    reason: str | None = None
    made: bool = False


REFUSED = {
    "unusual": Row(HumanCheckRequired, "UNUSUAL_ACTIVITY"),
    "html_sorry": Row(HumanCheckRequired),
    "throttled": Row(RateLimited, "USER_REQUESTS_THROTTLED"),
    "traffic": Row(RateLimited, "UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC"),
    "concurrent": Row(RateLimited, "CONCURRENT_LIMIT_REACHED"),
    "exhausted": Row(RateLimited),
    "quota": Row(QuotaUsedUp, "PER_MODEL_DAILY_QUOTA_REACHED"),
    "user_quota": Row(OutOfCredits, "USER_QUOTA_REACHED"),
    "model_denied": Row(Rejected, "MODEL_ACCESS_DENIED"),
}
UNKNOWN = {
    "internal": Row(OutcomeUnknown),
    "unavailable": Row(OutcomeUnknown, "HIGH_TRAFFIC"),
    "er_frame": Row(OutcomeUnknown),
    "html_page": Row(OutcomeUnknown),
    "cut_before": Row(OutcomeUnknown, "NETWORK"),
    "cut_after": Row(OutcomeUnknown, "NETWORK", made=True),
    "internal_after": Row(OutcomeUnknown, made=True),
    "null_payload": Row(OutcomeUnknown, made=True),
}
LATER = {
    "fail": (GenerationFailed, "SOMETHING_WENT_WRONG", 1),
    "fail-noreason": (GenerationFailed, None, 1),
    "audio-filtered": (GenerationFailed, "AUDIO_FILTERED", 2),
    "prominent": (Rejected, "PROMINENT_PEOPLE_FILTER_FAILED", 0),
    "filtered": (Rejected, "IP_INPUT_IMAGE", 0),
    "unsafe-later": (Rejected, "UNSAFE_GENERATION", 0),
}


def brief(at: World, prompt: str = "waves at dusk") -> Any:
    return at.clip_brief("text", prompt, duration_s=4)


async def refusal(at: World, given: Any, kind: type[ProviderError]) -> Any:
    with pytest.raises(kind) as raised:
        await at.submit(given)
    assert type(raised.value) is kind
    return raised.value


class TestSubmits:
    @pytest.mark.parametrize("fault", REFUSED)
    async def test_a_refusal_is_named_and_charges_nothing(self, pro: World, fault: Any) -> None:
        row = REFUSED[fault]
        pro.sim.fault("YhhmEf", fault)
        error = await refusal(pro, brief(pro), row.error)
        assert error.reason == row.reason or row.reason is None
        assert error.charged == "no"
        assert pro.sim.ledger() == []
        await pro.done((await pro.submit(brief(pro))).remote_id)

    @pytest.mark.parametrize("fault", UNKNOWN)
    async def test_what_is_no_refusal_leaves_the_outcome_unknown_until_it_is_looked_up(
        self, pro: World, fault: Any
    ) -> None:
        proven = pro.flow.new_client_ref()
        earlier = (await pro.done((await pro.submit(brief(pro), proven)).remote_id)).media
        charged = pro.sim.charged
        row, given, ref = UNKNOWN[fault], brief(pro), pro.flow.new_client_ref()
        pro.sim.fault("YhhmEf", fault)
        with pytest.raises(OutcomeUnknown) as raised:
            await pro.submit(given, ref)
        assert raised.value.reason == row.reason or row.reason is None
        lost = pro.lost(
            given,
            ref,
            proven=((proven, earlier.remote_id),),
            proven_clips=frozenset({proven}),
            age_s=600.0,
        )
        found = await pro.flow.look_up(lost)
        assert isinstance(found, Sent if row.made else NeverSent), found
        assert pro.sim.charged == charged + (given.credits if row.made else 0)

    async def test_a_refused_prompt(self, pro: World) -> None:
        error = await refusal(pro, brief(pro, "[[unsafe]] waves"), Rejected)
        assert error.reason == "UNSAFE_GENERATION" and pro.sim.ledger() == []
        picture = pro.picture_brief("[[unsafe]] a bicycle")
        assert (await refusal(pro, picture, Rejected)).reason == "UNSAFE_GENERATION"

    async def test_a_picture_that_fails_inside_its_call(self, pro: World) -> None:
        error = await refusal(pro, pro.picture_brief("[[prominent]] a face"), Rejected)
        assert error.reason == "PROMINENT_PEOPLE_FILTER_FAILED"

    async def test_a_model_or_an_input_that_is_gone(self, pro: World) -> None:
        gone = "99999999-9999-4999-8999-999999999999"
        lost = pro.clip_brief("start", start=gone, duration_s=4)
        assert (await refusal(pro, lost, Rejected)).reason == "NOT_FOUND"
        old = brief(pro).model_copy(update={"model": "veo_9_t2v"})
        assert (await refusal(pro, old, Rejected)).reason == "NOT_FOUND"
        assert pro.sim.ledger() == []

    async def test_an_upload_that_flow_has_forgotten(self, pro: World, tmp_path: Path) -> None:
        uploaded = await pro.flow.upload_image(png(tmp_path), pro.project)
        pro.sim.switch(upload_ttl_s=0.001)
        given = pro.clip_brief("start", start=uploaded, duration_s=4)
        assert (await refusal(pro, given, Rejected)).reason == "NOT_FOUND"

    async def test_a_file_that_is_no_picture_is_refused(self, pro: World, tmp_path: Path) -> None:
        text, torn = tmp_path / "notes.png", tmp_path / "torn.png"
        text.write_text("not a picture", encoding="utf-8")
        torn.write_bytes(b"\x89PNG\r\n\x1a\n torn")
        for file, reason in ((text, None), (torn, "UNKNOWN_IMAGE_FILE_FORMAT")):
            with pytest.raises(Rejected) as raised:
                await pro.flow.upload_image(file, pro.project)
            assert raised.value.reason == reason

    async def test_accepted_and_empty_made_nothing(self, pro: World) -> None:
        pro.sim.switch(submit_shape="empty")
        error = await refusal(pro, brief(pro), Rejected)
        assert error.reason == "ACCEPTED_BUT_EMPTY" and pro.sim.ledger() == []

    async def test_a_model_that_only_a_larger_plan_has(self, pro: World) -> None:
        given = brief(pro).model_copy(update={"model": "veo_3_1_t2v_fast_ultra"})
        assert (await refusal(pro, given, Rejected)).reason == "MODEL_ACCESS_DENIED"

    async def test_a_balance_that_does_not_reach(
        self, tmp_path: Path, browser: Browser, lane: str
    ) -> None:
        async with world(tmp_path, browser, lane=lane, credits=5) as poor:
            await refusal(poor, brief(poor), OutOfCredits)

    async def test_a_captcha_that_is_never_good_enough_is_for_a_person(self, pro: World) -> None:
        pro.sim.switch(captcha="distrust")
        error = await refusal(pro, brief(pro), HumanCheckRequired)
        assert error.reason == "UNUSUAL_ACTIVITY" and pro.sim.ledger() == []

    @pytest.mark.parametrize("how", ["seconds", "date"])
    async def test_how_long_to_wait_is_taken_from_the_answer_where_it_says(
        self, pro: World, how: str
    ) -> None:
        pro.sim.switch(retry_after=how, retry_after_s=77)
        pro.sim.fault("YhhmEf", "throttled")
        error = await refusal(pro, brief(pro), RateLimited)
        # Only lane labs has the header; the other lane's errors come under HTTP 200.
        told = 77 if pro.lane == "labs" else 300
        assert told - 3 <= error.retry_after_s <= told

    async def test_references_that_were_dropped_are_told(self, pro: World) -> None:
        pictures = tuple([await pro.picture(name) for name in ("one", "two")])
        pro.sim.switch(drop_references=True)
        accepted = await pro.submit(pro.clip_brief("references", references=pictures, duration_s=4))
        assert any("references" in line for line in accepted.warnings), accepted

    async def test_signed_out_is_for_a_person_and_over_once_signed_in(self, pro: World) -> None:
        pro.sim.switch(sign_out=True)
        await refusal(pro, brief(pro), SignInRequired)
        assert pro.sim.ledger() == []


class TestLater:
    @pytest.mark.parametrize("marker", LATER)
    async def test_a_clip_that_ends_badly_says_why_and_is_given_back(
        self, pro: World, marker: str
    ) -> None:
        kind, reason, again = LATER[marker]
        accepted = await pro.submit(brief(pro, f"[[{marker}]] waves"))
        assert pro.sim.ledger()[0].credits == 7
        failed = await pro.failed(accepted.remote_id)
        assert type(failed.error) is kind and failed.error.reason == reason
        assert getattr(failed.error, "again", 0) == again
        assert pro.sim.charged == 0

    async def test_a_poll_without_one_id_says_nothing_of_it(self, pro: World) -> None:
        ids = [(await pro.submit(brief(pro, "[[stuck]] waves"))).remote_id for _ in range(2)]
        pro.sim.fault("jwpduf", "poll_missing")
        polled = await pro.flow.poll(ids, VIDEO)
        assert polled.keys() <= set(ids) and ids[1] in polled
        assert all(isinstance(one, Pending) for one in polled.values())

    async def test_many_are_polled_at_once_and_one_failure_is_one(self, pro: World) -> None:
        good = (await pro.submit(brief(pro))).remote_id
        bad = (await pro.submit(brief(pro, "[[fail]] waves"))).remote_id
        await pro.failed(bad)
        await pro.done(good)
        both = await pro.flow.poll([good, bad], VIDEO)
        assert isinstance(both[good], Done) and not isinstance(both[bad], Done | Pending)

    async def test_done_without_an_address_is_not_done_yet(self, pro: World) -> None:
        pro.sim.switch(url_delay_s=600)
        accepted = await pro.submit(brief(pro))
        media = next(iter(pro.sim.service.state.media.values()))
        while media.status.pending:
            await pro.flow.poll([accepted.remote_id], VIDEO)
        polled = await pro.flow.poll([accepted.remote_id], VIDEO)
        assert polled == {} or isinstance(polled[accepted.remote_id], Pending)

    @pytest.mark.parametrize("fault", ["unavailable", "internal", "cut_before", "html_sorry"])
    async def test_a_poll_that_fails_is_tried_again(self, pro: World, fault: Any) -> None:
        accepted = await pro.submit(brief(pro))
        pro.sim.fault("jwpduf", fault)
        kind = HumanCheckRequired if fault == "html_sorry" else (Transient, RateLimited)
        with pytest.raises(kind):
            await pro.flow.poll([accepted.remote_id], VIDEO)
        await pro.done(accepted.remote_id)


class TestStuck:
    """An extension that never starts although it was charged (flow-wire §6.6)."""

    async def test_it_is_told_after_a_minute_and_not_before(self, pro: World) -> None:
        source = await pro.clip(wanted="veo-lite", duration_s=8)
        marker = "[[stuck]] " if pro.lane == "labs" else ""  # there no id is in doubt
        pro.sim.switch(extend_source="workflow")
        given = pro.clip_brief("extend", f"{marker}she turns", extends=source)
        remote = (await pro.submit(given)).remote_id
        pro.clock.ahead_s = 55
        assert (await pro.flow.poll([remote], VIDEO))[remote] == Pending()
        pro.clock.ahead_s = 65
        polled = (await pro.flow.poll([remote], VIDEO))[remote]
        assert isinstance(polled, Pending) and polled.stuck is not None
        assert "extend_source" in polled.stuck
        other = await pro.submit(brief(pro, "[[stuck]] waves"))
        pro.clock.ahead_s = 200
        assert (await pro.flow.poll([other.remote_id], VIDEO))[other.remote_id] == Pending()

    async def test_it_is_told_by_a_flowkit_that_was_started_since(
        self, tmp_path: Path, browser: Browser
    ) -> None:
        async with world(tmp_path, browser, lane="batchexecute") as one:
            source = await one.clip(wanted="veo-lite", duration_s=8)
            one.sim.switch(extend_source="workflow")
            remote = (await one.submit(one.clip_brief("extend", extends=source))).remote_id
            await one.start_again()
            one.clock.ahead_s = 65
            polled = (await one.flow.poll([remote], VIDEO))[remote]
            assert isinstance(polled, Pending) and polled.stuck is not None


class TestShapes:
    """Whatever form an answer takes, it means the same (flow-wire §6.3, §7.1)."""

    @pytest.mark.parametrize("shape", ["operations", "media", "both"])
    @pytest.mark.parametrize("status", ["top", "metadata", "absent"])
    @pytest.mark.parametrize("model", ["abra_t2v_4s", "veo_3_1_t2v_lite"])
    async def test_a_submit_and_its_polls(
        self, tmp_path: Path, browser: Browser, shape: str, status: str, model: str
    ) -> None:
        async with world(tmp_path, browser, lane="labs") as labs:
            labs.sim.switch(submit_shape=shape, status_path=status)
            given = labs.clip_brief("text", wanted=model)
            accepted = await labs.submit(given)
            data = await labs.fetched(accepted.remote_id, VIDEO, tmp_path / "clip.part")
            assert data[4:8] == b"ftyp"
            assert labs.sim.charged == given.credits

    @pytest.mark.parametrize("how", ["imageUri", "encodedImage", "later"])
    async def test_a_picture_that_is_handed_over_otherwise(
        self, tmp_path: Path, browser: Browser, how: str
    ) -> None:
        async with world(tmp_path, browser, lane="labs") as labs:
            labs.sim.switch(image_address=how, image_names="long", upload_media="array")
            picture = await labs.picture()
            data = await labs.fetched(picture, MediaKind.IMAGE, tmp_path / "picture.part")
            assert data[:3] == b"\xff\xd8\xff"
            uploaded = await labs.flow.upload_image(png(tmp_path), labs.project)
            clip = await labs.clip("start_end", start=picture, end=uploaded, duration_s=4)
            assert [one["use"] for one in labs.wire(clip)["inputs"]] == ["start", "end"]

    async def test_old_addresses_and_relapses_change_nothing(
        self, pro: World, tmp_path: Path
    ) -> None:
        pro.sim.switch(
            status_url=True, lifecycle="relapse", framing="split", step_ids="CAE", echo_inputs=False
        )
        accepted = await pro.submit(brief(pro))
        assert (await pro.fetched(accepted.remote_id, VIDEO, tmp_path / "c.part"))[4:8] == b"ftyp"
