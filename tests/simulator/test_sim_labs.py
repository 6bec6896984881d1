"""Lane labs against the examples of flow-wire.md: bodies go in as printed there, replies have their names."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from sim_labs import CHECK, GOLDEN, MID, SUBMIT, TRPC, golden, labs, status_of
from sim_tab import SettableClock, Tab, jpeg

from flowkit_mcp.simulator import long_ids


def missing(wanted: Any, got: Any, at: str = "") -> list[str]:
    """Names of the example that the reply lacks or that have another type there."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return [f"{at}: no object"]
        lost = [f"{at}.{name}" for name in wanted if name not in got]
        there = [n for n in wanted if n in got]
        return lost + [m for n in there for m in missing(wanted[n], got[n], f"{at}.{n}")]
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(wanted) != len(got):
            return [f"{at}: {len(wanted)} items wanted"]
        pairs = zip(wanted, got, strict=True)
        return [m for w, g in pairs for m in missing(w, g, f"{at}[]")]
    return [] if type(wanted) is type(got) else [f"{at}: {wanted!r} wanted, {got!r} got"]


# Session


async def test_the_session_gives_a_bearer_and_signed_out_nothing(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        told = await tab.session()
        assert set(told) == {"user", "expires", "access_token"}
        assert set(told["user"]) == {"name", "email", "image"}
        assert "enterprise.js" in (await tab.http.get("/fx/tools/flow")).text
        for headers in ({}, {"authorization": "Bearer nonsense"}):
            reply = await tab.http.get("/v1/credits", headers=headers)
            assert reply.status_code == 401 and reply.json() == golden("error_401")
        sim.switch(sign_out=True)
        assert await tab.session() == {}
        assert (await tab.call("GET", "/v1/credits")).status_code == 401
        assert (await tab.http.post(TRPC + "project.createProject")).status_code == 401


async def test_a_bearer_ends_after_its_minutes_and_for_uploads_first(tmp_path: Path) -> None:
    clock = SettableClock()
    async with labs(tmp_path, clock=clock) as (_, tab):
        body = await tab.filled_in("upload_args")
        body["imageBytes"] = base64.b64encode(jpeg()).decode()
        clock.ms += 56 * 60_000
        old = tab.bearer
        assert (await tab.call("POST", "/v1/flow/uploadImage", body)).status_code == 401
        assert (await tab.call("GET", "/v1/credits")).status_code == 200
        clock.ms += 4 * 60_000
        assert (await tab.call("GET", "/v1/credits")).status_code == 401
        await tab.session()
        assert tab.bearer != old
        assert (await tab.call("POST", "/v1/flow/uploadImage", body)).status_code == 200


async def test_the_cookie_may_rotate_with_each_session_call(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        sim.switch(rotate_cookie=True)
        [old] = [cookie.value for cookie in tab.http.cookies.jar]
        await tab.session()
        [new] = [cookie.value for cookie in tab.http.cookies.jar]
        assert old != new and (await tab.session())["access_token"]


async def test_an_account_is_served_one_lane_and_can_change_between_two_calls(
    tmp_path: Path,
) -> None:
    async with labs(tmp_path) as (sim, tab):
        media = await tab.clip("Text", videoModelKey="abra_t2v_4s")
        assert (await tab.http.get("/")).headers["location"] == "/about"
        assert (await tab.http.get("/fx/tools/flow")).status_code == 200
        sim.switch(lane="batchexecute")
        moved = await tab.http.get(f"/fx/tools/flow/project/{tab.project}")
        assert (moved.status_code, moved.headers["location"]) == (308, f"/project/{tab.project}")
        assert (await tab.call("GET", "/v1/credits")).status_code == 401
        assert (await tab.http.get("/fx/api/auth/session")).status_code == 308
        reply = await tab.http.get(TRPC + "media.getMediaUrlRedirect", params={"name": media})
        assert reply.status_code == 404
        async with Tab.open(sim) as other:
            assert (await other.published(media))[0] == media
            sim.switch(lane="labs")
            reply = await other.send(("nzlxg", []))
            assert reply.status_code == 200 and reply.text.startswith("<!doctype html>")


# Account, projects


@pytest.mark.parametrize(
    ("tier", "paygate", "service"),
    [
        ("free", "NOT_PAID", "ENTRY"),
        ("pro", "ONE", "INTERMEDIATE"),
        ("ultra", "TWO", "ADVANCED"),
    ],
)
async def test_credits_name_the_tier(tmp_path: Path, tier: str, paygate: str, service: str) -> None:
    async with labs(tmp_path, tier=tier, credits=868) as (_, tab):
        told = await tab.ok("GET", "/v1/credits")
        assert missing(golden("credits_reply"), told) == []
        assert told["credits"] == 868
        assert told["userPaygateTier"] == f"PAYGATE_TIER_{paygate}"
        assert told["serviceTier"] == f"SERVICE_TIER_{service}"
        config = await tab.trpc("flow.projectInitialData", {"projectId": tab.project}, "GET")
        families = config["result"]["modelConfig"]["videoModelFamilies"]
        prices = {u["key"]: u["creditMapping"] for f in families for u in f["usages"]}
        assert prices["veo_3_1_t2v_fast"]["SERVICE_TIER_ADVANCED"] == "UNAVAILABLE"
        assert prices["abra_t2v_4s"][f"SERVICE_TIER_{service}"] == {"cost": 7}


async def test_projects_are_listed_renamed_deleted_and_refused_inside_http_200(
    tmp_path: Path,
) -> None:
    async with labs(tmp_path) as (_, tab):
        rename = {"projectId": tab.project, "projectInfo": {"projectTitle": "New"}}
        await tab.trpc("project.updateProject", rename | {"updateMasks": ["projectTitle"]})
        await tab.trpc("project.createProject", {"projectTitle": "Second"})
        first = await tab.trpc("project.searchUserProjects", {"pageSize": 1}, "GET")
        again = {"pageSize": 1, "cursor": first["result"]["nextPageToken"]}
        second = await tab.trpc("project.searchUserProjects", again, "GET")
        titles = [
            r["result"]["projects"][0]["projectInfo"]["projectTitle"] for r in (first, second)
        ]
        assert sorted(titles) == ["New", "Second"]
        await tab.trpc("project.deleteProject", {"projectToDeleteId": tab.project})
        gone = await tab.trpc("flow.projectInitialData", {"projectId": tab.project}, "GET")
        assert gone["status"] == 404
        bad = await tab.http.post(TRPC + "project.createProject", content="{}")
        assert bad.status_code == 400
        assert bad.json()["error"]["json"]["data"]["code"] == "BAD_REQUEST"


# Pictures


async def test_a_picture_by_the_documents_body(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        body = await tab.filled_in("images_args", "IMAGE_GENERATION")
        path = f"/v1/projects/{tab.project}/flowMedia:batchGenerateImages"
        reply = await tab.ok("POST", path, body)
        wanted = golden("images_reply")
        assert missing(wanted, reply) == []
        assert reply["media"][0]["image"]["dimensions"] == {"width": 1376, "height": 768}
        address = reply["media"][0]["image"]["generatedImage"]["fifeUrl"]
        assert (await tab.http.get(address)).headers["content-type"] == "image/jpeg"
        assert sim.ledger()[-1].rpc == "ogiZ0b"


@pytest.mark.parametrize("how", ["imageUri", "encodedImage", "later"])
async def test_a_picture_may_come_in_other_ways(tmp_path: Path, how: str) -> None:
    async with labs(tmp_path) as (sim, tab):
        sim.switch(image_address=how, image_names="long")
        [media] = (await tab.images()).json()["media"]
        plain = long_ids.decode(media["name"])
        if how == "later":
            assert status_of(media) == "SCHEDULED" and "image" not in media
        else:
            generated = media["image"]["generatedImage"]
            assert how in generated and "fifeUrl" not in generated
            assert generated["mediaId"] == plain
        assert (await tab.ok("GET", f"/v1/media/{plain}"))["image"]["encodedImage"]


async def test_unknown_names_are_refused_by_name_but_not_for_pictures(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        reply = await tab.submit(image="x")
        [violation] = reply.json()["error"]["details"][0]["fieldViolations"]
        assert reply.status_code == 400 and violation["field"] == "requests[0]"
        assert "Unknown name \"image\" at 'requests[0]'" in reply.json()["error"]["message"]
        reply = await tab.images(metadata={})
        assert reply.status_code == 400
        assert reply.json()["error"]["message"] == "Request contains an invalid argument."
        for wrong in ("IMAGE_ASPECT_RATIO_PORTRAIT_3_4", "SQUARE"):
            assert (await tab.images(imageAspectRatio=wrong)).status_code == 400
        assert sim.ledger() == []


async def test_an_edit_joins_the_tile_of_its_base_in_its_size(tmp_path: Path) -> None:
    async with labs(tmp_path) as (_, tab):
        [base] = (await tab.images(imageAspectRatio="IMAGE_ASPECT_RATIO_SQUARE")).json()["media"]
        inputs = [{"name": base["name"], "imageInputType": "IMAGE_INPUT_TYPE_BASE_IMAGE"}]
        reply = await tab.images(
            "in snow", imageInputs=inputs, imageAspectRatio="IMAGE_ASPECT_RATIO_UNSPECIFIED"
        )
        [edit] = reply.json()["media"]
        assert edit["workflowId"] == base["workflowId"] and edit["name"] != base["name"]
        assert edit["image"]["dimensions"] == {"width": 1024, "height": 1024}


@pytest.mark.parametrize("shape", ["object", "array"])
async def test_an_upload_wants_no_captcha(tmp_path: Path, shape: str) -> None:
    async with labs(tmp_path) as (sim, tab):
        sim.switch(upload_media=shape)
        body = await tab.filled_in("upload_args")
        body["imageBytes"] = base64.b64encode(jpeg(439, 780)).decode()
        told = (await tab.ok("POST", "/v1/flow/uploadImage", body))["media"]
        media = told if shape == "object" else told[0]
        assert media["image"]["dimensions"] == {"width": 439, "height": 780}
        assert "userUploadedImage" in media["image"]
        body["encodedImage"] = body.pop("imageBytes")
        assert (await tab.call("POST", "/v1/flow/uploadImage", body)).status_code == 400


async def test_a_picture_upscale_is_inline(tmp_path: Path) -> None:
    async with labs(tmp_path) as (_, tab):
        source = await tab.picture_id()
        context = (await tab.filled_in("images_args", "IMAGE_GENERATION"))["clientContext"]
        body = {"mediaId": source, "targetResolution": "UPSAMPLE_IMAGE_RESOLUTION_2K"}
        reply = await tab.ok("POST", "/v1/flow/upsampleImage", body | {"clientContext": context})
        assert base64.b64decode(reply["encodedImage"])[:2] == b"\xff\xd8"


# Clips


async def test_a_clip_by_the_documents_body_in_each_shape(tmp_path: Path) -> None:
    async with labs(tmp_path, credits=100) as (sim, tab):
        sim.switch(submit_shape="media")
        reply = (await tab.submit()).json()
        wanted = golden("submit_media")
        wanted["media"][0].pop("workflowStepId")  # means nothing and varies
        assert missing(wanted, reply) == [] and reply["remainingCredits"] == 80
        sim.switch(submit_shape="both")
        reply = (await tab.submit()).json()
        assert reply["operations"][0]["operation"]["name"] == reply["media"][0]["name"]
        sim.switch(submit_shape="operations")
        reply = (await tab.submit(metadata={"sceneId": MID})).json()
        assert missing(golden("submit_operations"), reply) == []
        assert set(reply) == {"operations", "remainingCredits"}
        before = sim.charged
        sim.switch(submit_shape="empty")
        assert (await tab.submit()).json() == {"operations": []}
        assert sim.charged == before == 60


def _has_address(reply: Any) -> bool:
    operation = reply["operations"][0]["operation"]
    return "fifeUrl" in operation.get("metadata", {}).get("video", {})


async def test_the_old_poll_knows_operations_and_nothing_else(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        sim.switch(submit_shape="operations", status_url=True)
        [asked] = (await tab.submit(metadata={"sceneId": MID})).json()["operations"]
        reply = {"operations": [asked]}
        while not _has_address(reply):  # each turn asks the simulator, which goes on meanwhile
            reply = await tab.ok("POST", CHECK, {"operations": [asked]})
        assert missing(golden("poll_old_done"), reply) == []
        body = await tab.submit(prompt="x [[unsafe-later]]", metadata={"sceneId": MID})
        [failing] = body.json()["operations"]
        while failing["status"] != "MEDIA_GENERATION_STATUS_FAILED":
            reply = await tab.ok("POST", CHECK, {"operations": [failing]})
            [failing] = reply["operations"]
        assert missing(golden("poll_old_failed"), reply) == []
        sim.switch(submit_shape="both")
        start = {"mediaId": await tab.picture_id()}
        reply = (
            await tab.submit("StartImage", videoModelKey="abra_i2v_4s", startImage=start)
        ).json()
        nobody = reply["operations"]
        assert nobody[0]["operation"]["name"] != reply["media"][0]["name"]
        assert (await tab.ok("POST", CHECK, {"operations": nobody}))["operations"] == []


@pytest.mark.parametrize("path", ["top", "metadata", "absent"])
async def test_a_status_stands_at_one_of_two_paths_or_is_absent(tmp_path: Path, path: str) -> None:
    async with labs(tmp_path) as (sim, tab):
        media = await tab.clip(videoModelKey="abra_t2v_4s")
        assert await tab.settled(media) == "SUCCESSFUL"
        sim.switch(status_path=path)
        [entry] = (await tab.check(media))["media"]
        if path == "top":
            assert missing(golden("poll_done")["media"][0], entry) == []
        else:
            assert ("mediaMetadata" in entry) == (path == "metadata")
            assert "mediaStatus" not in entry
        assert "fifeUrl" not in str(entry)
        failed = await tab.clip(prompt="x [[filtered]]")
        assert await tab.settled(failed) == "FAILED" if path != "absent" else True


async def test_a_failure_says_why_and_is_refunded(tmp_path: Path) -> None:
    async with labs(tmp_path, credits=30) as (sim, tab):
        media = await tab.clip(prompt="x [[filtered]]", videoModelKey="abra_t2v_4s")
        assert await tab.settled(media) == "FAILED"
        assert missing(golden("poll_failed"), await tab.check(media)) == []
        assert (await tab.check(media))["remainingCredits"] == 30 == sim.balance


async def test_every_mode_is_taken_with_its_own_fields(tmp_path: Path) -> None:
    async with labs(tmp_path, tier="pro") as (sim, tab):
        one, two = await tab.picture_id("hero"), await tab.picture_id("bicycle")
        start = {"startImage": {"mediaId": one}}
        await tab.clip("StartImage", videoModelKey="abra_i2v_4s", **start)
        key = "omni_flash_i2v_4s_first_last"
        end = {"endImage": {"mediaId": two}}
        await tab.clip("StartAndEndImage", videoModelKey=key, **start, **end)
        refs = [{"mediaId": one, "imageUsageType": "IMAGE_USAGE_TYPE_ASSET"}, {"mediaId": "gone"}]
        voice = {"referenceAudio": [{"mediaId": "charon"}], "referenceImages": refs}
        await tab.clip("ReferenceImages", videoModelKey="abra_r2v_4s", **voice)
        source = await tab.clip("Text", videoModelKey="veo_3_1_t2v_lite")
        await tab.settled(source)
        frames = {"mediaId": source, "startFrameIndex": 169, "endFrameIndex": 192}
        await tab.clip("ExtendVideo", videoModelKey="veo_3_1_extension_lite", videoInput=frames)
        await tab.clip("EditVideo", videoModelKey="abra_edit", videoInput=frames)
        made = [e.rpc for e in sim.ledger() if e.credits]
        assert made == ["eb1hJf", "nprQif", "MZZa6b", "YhhmEf", "fZytfe", "jIps6"]
        told = (await tab.http.get("/sim/state")).json()["media"]
        [refs_clip] = [m for m in told if m["mode"] == "references"]
        assert refs_clip["voices"] == ["charon"] and len(refs_clip["inputs"]) == 1


async def test_an_upscale_is_an_operation_and_then_inline(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        source = await tab.clip(videoModelKey="abra_t2v_4s")
        await tab.address(source)

        async def upscale() -> Any:
            body = await tab.filled_in("video_text_args", "VIDEO_GENERATION")
            item = body["requests"][0]
            del item["textInput"]
            item |= {
                "videoInput": {"mediaId": source},
                "videoModelKey": "veo_3_1_upsampler_1080p",
                "resolution": "VIDEO_RESOLUTION_1080P",
            }
            return await tab.ok("POST", SUBMIT + "UpsampleVideo", body)

        sim.switch(submit_shape="mix")
        first = await upscale()
        assert set(first) == {"operations", "remainingCredits"}
        await tab.address(f"{source}_upsampled")
        existing = await upscale()
        assert missing(golden("upscale_existing"), existing) == []
        assert b"ftyp" in base64.b64decode(existing["operations"][0]["rawBytes"])
        sim.switch(existing_upscale="operation")
        assert "operation" in (await upscale())["operations"][0]


# Looking


async def test_media_come_inline_or_by_redirect_and_not_before_their_time(tmp_path: Path) -> None:
    async with labs(tmp_path) as (_, tab):
        slow = await tab.clip(prompt="[[stuck]] x", videoModelKey="veo_3_1_t2v_lite")
        early = (await tab.ok("GET", f"/v1/media/{slow}"))["video"]["encodedVideo"]
        assert b"ftyp" not in base64.b64decode(early) and 1000 < len(base64.b64decode(early)) < 2000
        missing_yet = await tab.http.get(TRPC + "media.getMediaUrlRedirect", params={"name": slow})
        assert missing_yet.status_code == 404
        media = await tab.clip(videoModelKey="veo_3_1_t2v_lite")
        moved = await tab.address(media)
        assert moved.status_code == 307
        clip = (await tab.http.get(moved.headers["location"])).content
        told = await tab.ok("GET", f"/v1/media/{media}?clientContext.tool=PINHOLE")
        assert base64.b64decode(told["video"]["encodedVideo"]) == clip
        query = {"name": media, "mediaUrlType": "MEDIA_URL_TYPE_THUMBNAIL"}
        thumbnail = await tab.http.get(TRPC + "media.getMediaUrlRedirect", params=query)
        assert thumbnail.headers["content-type"] == "image/jpeg"
        omni = await tab.clip(videoModelKey="abra_t2v_4s")
        await tab.settled(omni)
        assert (await tab.call("GET", f"/v1/media/{omni}")).status_code == 400


async def test_the_listing_holds_everything_under_its_own_names(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        picture, clip = await tab.picture_id(), await tab.clip(videoModelKey="abra_t2v_4s")
        await tab.settled(clip)
        entity = (await tab.trpc("flow.createEntity", {"projectId": tab.project}))["result"]
        sim.switch(status_path="absent")
        told = await tab.trpc("flow.projectInitialData", {"projectId": tab.project}, "GET")
        contents = told["result"]["projectContents"]
        assert [one["name"] for one in contents["media"]] == [picture, clip]
        assert "mediaStatus" not in contents["media"][1]["mediaMetadata"]
        assert len(contents["externalReferenceMedia"]) == 30
        assert contents["entities"][0]["entityId"] == entity["entity"]["entityId"]
        tile = contents["workflows"][0]["name"]
        change = {"workflow": {"metadata": {"archived": True}}, "updateMask": "metadata.archived"}
        await tab.ok("PATCH", f"/v1/flowWorkflows/{tile}", change)
        await tab.ok("POST", "/v1/flow:batchDeleteAssets", {"mediaIds": [clip]})
        told = await tab.trpc("flow.projectInitialData", {"projectId": tab.project}, "GET")
        contents = told["result"]["projectContents"]
        assert [one["name"] for one in contents["media"]] == [picture]
        assert contents["workflows"][0]["metadata"]["archived"] is True


async def test_cancelling_is_for_running_clips(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        running, picture = await tab.clip(prompt="[[stuck]] x"), await tab.picture_id()
        path = "/v1/flowMedia:cancelGeneration"
        await tab.ok("POST", path, {"mediaId": running})
        assert await tab.settled(running) == "CANCELED" and sim.charged == 0
        late = await tab.call("POST", path, {"mediaId": running})
        assert "CANNOT_BE_CANCELED" in late.text
        assert (await tab.call("POST", path, {"mediaId": picture})).status_code == 404


# Errors


async def test_errors_have_the_documents_body(tmp_path: Path) -> None:
    async with labs(tmp_path) as (sim, tab):
        body = await tab.filled_in("video_text_args", "IMAGE_GENERATION")
        reply = await tab.call("POST", SUBMIT + "Text", body)
        assert (reply.status_code, reply.json()) == (403, golden("error_403"))
        for kind, status in (("throttled", 429), ("unavailable", 503), ("internal", 500)):
            sim.fault("YhhmEf", kind)
            assert (await tab.submit()).status_code == status
        sim.switch(retry_after="seconds", retry_after_s=7)
        sim.fault("YhhmEf", "traffic")
        assert (await tab.submit()).headers["retry-after"] == "7"
        sim.fault("jwpduf", "html_sorry")
        sorry = await tab.call("POST", CHECK, {"media": []})
        assert sorry.status_code == 403 and "Sorry" in sorry.text
        assert sim.ledger() == []
        path = "/v1/flow/models/statuses"
        assert (await tab.ok("GET", path))["modelStatus"][0]["status"].endswith("HEALTHY")


def test_a_long_id_reads_and_writes_as_in_the_document() -> None:
    text = (GOLDEN / "long_id.txt").read_text(encoding="utf-8").strip()
    ids = [f"00000000-0000-4000-8000-0000000000{end}" for end in ("aa", "bb", "cc")]
    assert long_ids.encode("image", *ids) == text
    assert long_ids.decode(text) == ids[2]
    for wrong in ("CAMSdummy", "CAM", "charon", ids[0], "CAMSé"):
        assert long_ids.decode(wrong) is None
    assert long_ids.encode("video", *ids).startswith("CAUS")


@pytest.mark.parametrize("rule", ["accept", "refuse"])
async def test_long_ids_are_taken_or_refused(tmp_path: Path, rule: str) -> None:
    async with labs(tmp_path) as (sim, tab):
        [picture] = (await tab.images()).json()["media"]
        sim.switch(long_ids=rule)
        long = picture["image"]["generatedImage"]["mediaGenerationId"]
        start = {"startImage": {"mediaId": long}, "videoModelKey": "abra_i2v_4s"}
        reply = await tab.submit("StartImage", **start)
        assert reply.status_code == (200 if rule == "accept" else 400)
