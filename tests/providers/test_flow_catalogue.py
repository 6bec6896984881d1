from dataclasses import replace
from pathlib import Path

import pytest

from flowkit_mcp.domain.models import MediaKind, Model, Orientation
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.providers.flow import catalogue
from flowkit_mcp.providers.flow.payloads import Usage
from flowkit_mcp.providers.flow.table import table, usable

WIDE, TALL = Orientation.HORIZONTAL, Orientation.VERTICAL
BLANK = Usage(
    key="", family="f", title="T", image=False, prices={}, requirements=frozenset(), aspects=(),
    duration_s=None, max_images=None, resolutions=(),
)  # fmt: skip


def video(
    key: str, entry: int | None, pro: int | None, ultra: int | None, s: int | None = None
) -> Usage:
    prices = {tier: cost for tier, cost in ((1, entry), (2, pro), (3, ultra)) if cost is not None}
    return replace(BLANK, key=key, prices=prices, duration_s=s)


def image(key: str) -> Usage:
    return replace(BLANK, key=key, image=True, prices={1: 0, 2: 0, 3: 0})


# Keys and prices of flow-wire appendix A.
USAGES = [
    *(
        video(f"abra_i2v_{s}s", cost, cost, cost, s)
        for s, cost in ((4, 7), (6, 10), (8, 12), (10, 15))
    ),
    video("abra_i2v_8s_360p", 6, 6, 6, 8),
    video("abra_r2v_8s", 12, 12, 12, 8),
    video("omni_flash_i2v_8s_first_last", 12, 12, 12, 8),
    video("veo_3_1_i2v_lite", 10, 10, 5),
    video("veo_3_1_i2v_lite_low_priority", None, None, 0),
    video("veo_3_1_i2v_s_lite_4s", None, None, 5, 4),
    video("veo_3_1_interpolation_lite", 10, 10, 5),
    video("veo_3_1_i2v_s_fast", 20, 20, None),
    video("veo_3_1_i2v_s_fast_portrait", 20, 20, None),
    video("veo_3_1_i2v_s_fast_ultra", None, None, 10),
    video("veo_3_1_i2v_s", 100, 100, 100),
    video("veo_3_1_i2v_s_fl", 100, 100, 100),
    video("veo_3_1_t2v", 100, 100, 100),
    video("veo_3_1_upsampler_1080p", None, 0, 0),
    video("veo_3_1_upsampler_4k", None, None, 50),
    video("omni_upsampler_360p", 0, 0, 0),
    image("GEM_PIX_2"),
    image("NARWHAL"),
    image("HARBOR_SEAL"),
    image("GEM_PIX_2_UPSAMPLE_2K"),
]
FREE, PRO, ULTRA = (catalogue.models(USAGES, tier) for tier in (1, 2, 3))


def pick(models: tuple[Model, ...], mode: str, wanted: str | None = None, **options) -> str:
    given = {"duration_s": None, "orientation": WIDE, "resolution": None} | options
    return catalogue.choose(models, mode, wanted=wanted, **given).key


def by_key(models: tuple[Model, ...]) -> dict[str, Model]:
    return {model.key: model for model in models}


@pytest.mark.parametrize(
    ("key", "mode", "family", "resolution", "duration"),
    [
        ("abra_i2v_4s", "start", "omni", "720p", 4),
        ("abra_i2v_8s_360p", "start", "omni", "360p", 8),
        ("abra_r2v_8s", "references", "omni", "720p", 8),
        ("omni_flash_i2v_8s_first_last", "start_end", "omni", "720p", 8),
        ("veo_3_1_interpolation_lite", "start_end", "veo-lite", "720p", 8),
        ("veo_3_1_i2v_lite_low_priority", "start", "veo-lite-low-priority", "720p", 8),
        ("veo_3_1_i2v_s_fast_ultra", "start", "veo-fast", "720p", 8),
        ("veo_3_1_i2v_s_fl", "start_end", "veo-quality", "720p", 8),
        ("veo_3_1_t2v", "text", "veo-quality", "720p", 8),
        ("veo_3_1_upsampler_1080p", "upscale", "veo-upscale", "1080p", None),
        ("veo_3_1_upsampler_4k", "upscale", "veo-upscale", "4K", None),
        ("omni_upsampler_360p", "upscale", "omni-upscale", "720p", None),
        ("GEM_PIX_2", "image", "nano-banana-pro", None, None),
        ("GEM_PIX_2_UPSAMPLE_2K", "upscale_image", "nano-banana-pro-upscale", "2K", None),
    ],
)
def test_a_key_is_put_into_words(key, mode, family, resolution, duration):
    model = by_key(PRO)[key]
    assert model.modes == (mode,)
    assert (model.family, model.resolution, model.duration_s) == (family, resolution, duration)


def test_the_price_is_that_of_the_accounts_tier_and_none_where_it_has_no_access():
    assert by_key(FREE)["veo_3_1_i2v_lite"].credits == 10
    assert by_key(ULTRA)["veo_3_1_i2v_lite"].credits == 5
    assert by_key(ULTRA)["veo_3_1_i2v_s_fast"].credits is None
    assert by_key(FREE)["veo_3_1_upsampler_1080p"].credits is None


def test_reference_limits_come_from_the_catalogue_first():
    assert by_key(PRO)["abra_r2v_8s"].max_references == 7
    assert by_key(PRO)["HARBOR_SEAL"].max_references == 3
    assert by_key(PRO)["abra_i2v_4s"].max_references == 0
    told = catalogue.models([replace(USAGES[5], max_images=5)], 2)
    assert told[0].max_references == 5


def test_how_many_voices_a_model_takes_comes_from_the_catalogue_first():
    """Flow leaves out what is too much without a word (flow-wire §2.1, §6.4)."""
    assert by_key(PRO)["abra_r2v_8s"].max_voices == 5
    assert by_key(PRO)["abra_i2v_4s"].max_voices is None
    r2v = next(one for one in USAGES if one.key == "abra_r2v_8s")
    assert catalogue.models([replace(r2v, max_voices=2)], 2)[0].max_voices == 2


def test_orientations_come_from_the_catalogue_first_and_then_from_the_key():
    assert by_key(PRO)["veo_3_1_i2v_s_fast_portrait"].orientations == (TALL,)
    told = catalogue.models([replace(USAGES[0], aspects=(2,))], 2)
    assert told[0].orientations == (WIDE,)


def test_an_unknown_key_is_driven_as_its_requirements_say():
    (new,) = catalogue.models([replace(BLANK, key="zeta_9", requirements=frozenset({1, 6}))], 2)
    assert new.modes == ("references",) and new.family == "f"
    (odd,) = catalogue.models([replace(BLANK, key="zeta_8")], 2)
    assert odd.modes == ()


@pytest.mark.parametrize(
    ("mode", "wanted", "options", "key"),
    [
        ("image", None, {}, "GEM_PIX_2"),
        ("image", "nano-banana-2", {}, "NARWHAL"),
        ("image", "NARWHAL", {}, "NARWHAL"),
        ("start", None, {}, "abra_i2v_8s"),
        ("start", None, {"orientation": TALL}, "abra_i2v_8s"),
        ("start", None, {"duration_s": 10}, "abra_i2v_10s"),
        ("start", None, {"resolution": "360p"}, "abra_i2v_8s_360p"),
        ("start", "omni", {}, "abra_i2v_8s"),
        ("start", "Omni Flash", {"duration_s": 4}, "abra_i2v_4s"),
        ("start", "veo-lite", {}, "veo_3_1_i2v_lite"),
        ("start", "veo_3_1_fast", {}, "veo_3_1_i2v_s_fast"),
        ("start", "veo-fast", {"orientation": TALL}, "veo_3_1_i2v_s_fast_portrait"),
        ("start", "veo-quality", {}, "veo_3_1_i2v_s"),
        ("start", "abra_i2v_8s_360p", {}, "abra_i2v_8s_360p"),
        ("start_end", None, {}, "omni_flash_i2v_8s_first_last"),
        ("start_end", "veo-lite", {}, "veo_3_1_interpolation_lite"),
        ("upscale", None, {}, "veo_3_1_upsampler_1080p"),
        ("upscale", "omni-upscale", {}, "omni_upsampler_360p"),
    ],
)
def test_a_model_is_chosen_by_default_family_alias_or_key(mode, wanted, options, key):
    assert pick(PRO, mode, wanted, **options) == key


def test_another_tier_gets_another_key_of_the_same_family():
    assert pick(ULTRA, "start", "veo-fast") == "veo_3_1_i2v_s_fast_ultra"
    assert pick(ULTRA, "upscale", resolution="4K") == "veo_3_1_upsampler_4k"


@pytest.mark.parametrize(
    ("models", "mode", "wanted", "options", "says"),
    [
        (PRO, "start", "veo_3_1_i2v_s_fast_ultra", {}, "not in this account's plan"),
        (FREE, "upscale", None, {}, "not in this account's plan"),
        (PRO, "upscale", None, {"resolution": "4K"}, "not in this account's plan"),
        (PRO, "upscale", None, {"resolution": "8K"}, "does not make 8K"),
        (PRO, "start", "abra_i2v_8s", {"duration_s": 4}, "does not make clips of 4 s"),
        (PRO, "start", None, {"duration_s": 7}, "does not make clips of 7 s"),
        (PRO, "start", "veo_3_1_i2v_s_fast_portrait", {}, "does not make HORIZONTAL"),
        (PRO, "start", "veo_3_1_t2v", {}, "is for text, not for start"),
        (PRO, "start", "sora", {}, "no model named 'sora'"),
        (PRO, "extend", None, {}, "no model for extend"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_call(models, mode, wanted, options, says):
    with pytest.raises(InvalidSetting, match=says):
        pick(models, mode, wanted, **options)


def test_a_refusal_says_what_the_account_has_and_for_how_much():
    with pytest.raises(InvalidSetting) as caught:
        pick(PRO, "start", "sora")
    assert "veo_3_1_i2v_lite (veo-lite, 8 s, 720p, 10 credits)" in caught.value.hint
    assert "veo_3_1_i2v_s_fast_ultra" not in caught.value.hint


def test_pictures_are_named_free():
    with pytest.raises(InvalidSetting, match=r"GEM_PIX_2 \(nano-banana-pro, free"):
        pick(PRO, "image", "imagen")


def test_media_kinds_follow_the_catalogues_two_lists():
    assert by_key(PRO)["GEM_PIX_2"].media is MediaKind.IMAGE
    assert by_key(PRO)["abra_i2v_4s"].media is MediaKind.VIDEO


def test_hidden_families_offer_nothing_but_their_upscalers():
    hidden = [
        replace(USAGES[0], hidden=True),
        replace(video("veo_3_1_upsampler_1080p", None, 0, 0), hidden=True),
    ]
    (only,) = catalogue.models(hidden, 2)
    assert (only.key, only.modes, only.resolution) == (
        "veo_3_1_upsampler_1080p",
        ("upscale",),
        "1080p",
    )


def test_a_librarys_own_facts_decide_names_and_defaults(tmp_path: Path):
    file = tmp_path / "flow.toml"
    file.write_text(
        "[default_order]\nstart = ['veo-fast']\n[default_duration_s]\nstart = 4\n"
        "[switches]\nkey_suffixes = 'avoid'\n"
        "[[families]]\nname = 'house-style'\nkeys = '^veo_3_1_i2v_s$'\n",
        encoding="utf-8",
    )
    own = usable(file)
    assert pick(PRO, "start") == "abra_i2v_8s"
    assert pick(PRO, "start", facts=own) == "veo_3_1_i2v_s_fast"
    assert pick(PRO, "start", facts=own, orientation=TALL) == "veo_3_1_i2v_s_fast"
    assert pick(PRO, "start", "house-style", facts=own) == "veo_3_1_i2v_s"
    file.write_text("[switches]\nkey_suffixes = 'x'\n", encoding="utf-8")
    assert usable(file) == table()
