import re

import pytest

from flowkit_mcp.providers.flow import ids

LONG = (
    "CAMSJDAwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDBhYRokMDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAw"
    "MDAwMDAwMGJiIgNDQUUqJDAwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDBjYw"
)


def test_the_id_of_a_seed_is_its_sha256_bent_into_a_uuid():
    # sha256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 …
    assert ids.derived("abc") == "ba7816bf-8f01-4fea-8141-40de5dae2223"


def test_only_the_first_64_characters_of_a_seed_count():
    assert ids.derived("a" * 64) == ids.derived("a" * 64 + "b")


def test_the_case_of_a_seed_counts():
    assert ids.derived("AB") != ids.derived("ab")


def test_a_client_ref_is_two_lower_case_uuids_and_reads_back():
    seeds = ids.Seeds.new()
    uuid4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"{uuid4}\.{uuid4}", str(seeds))
    assert ids.Seeds.parse(str(seeds)) == seeds


@pytest.mark.parametrize("text", ["", "one", "one.", ".two"])
def test_what_is_not_a_client_ref_is_refused(text: str):
    with pytest.raises(ValueError, match="client_ref"):
        ids.Seeds.parse(text)


def test_the_long_spelling_is_decoded_on_sight():
    assert ids.media_id(LONG) == "00000000-0000-4000-8000-0000000000cc"


@pytest.mark.parametrize(
    "id", ["charon", "22222222-2222-4222-8222-222222222222_upsampled", "CAM", "CASTLE", LONG[:30]]
)
def test_any_other_id_is_left_as_it_is(id: str):
    assert ids.media_id(id) == id


def test_larger_versions_are_named_after_their_source():
    assert ids.upscaled("m", "1080p") == "m_upsampled"
    assert ids.upscaled("m", "4K") == "m_4k_upsampled"
    assert ids.is_upscaled("m_4k_upsampled") and not ids.is_upscaled("m")
