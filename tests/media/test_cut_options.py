from __future__ import annotations

import pytest
from pydantic import ValidationError

from flowkit_mcp.domain.cut import Cut, Insert, Trim, trim_to_words

TEXT = "0-3s: She turns to the sea. 3-6s: He laughs,\n  quietly. 6–8 s: She turns back."


def test_words_of_the_timed_text_become_a_trim():
    assert trim_to_words(4, TEXT, "he LAUGHS, quietly") == Trim(clip=4, start_s=3, end_s=6)
    assert trim_to_words(1, TEXT, "she turns") == Trim(clip=1, start_s=0, end_s=8)
    assert trim_to_words(1, TEXT, "nobody") is None
    assert trim_to_words(1, TEXT, " ") is None


def test_a_cut_survives_json_unchanged():
    cut = Cut(trims=(Trim(clip=2, start_s=1),), intro=Insert(text="夜"), captions={"burn": True})
    assert Cut.model_validate_json(cut.model_dump_json()) == cut
    assert cut.clip_numbers == {2}


def test_contradictions_are_refused():
    with pytest.raises(ValidationError, match="later than start_s"):
        Trim(clip=1, start_s=3, end_s=2)
    with pytest.raises(ValidationError, match="names a clip twice"):
        Cut(trims=(Trim(clip=1), Trim(clip=1)))
    with pytest.raises(ValidationError, match="either a file or a text"):
        Insert()
