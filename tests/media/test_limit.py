"""The limiter works only where sound is loud: elsewhere nothing is touched, there it is as if it worked throughout."""

from __future__ import annotations

import array
import math
import random

import pytest

from flowkit_mcp.media.limit import in_blocks, limited, loud_spans, with_room
from flowkit_mcp.media.sound import BYTES, filtered

pytestmark = pytest.mark.media

SECOND = 48_000
LIMITER = [
    ("aresample", "96000"),
    ("alimiter", "limit=-1.5dB:attack=5:release=60:level=disabled:latency=1"),
    ("aresample", "48000"),
]


def _sound(seconds: float, bursts: list[tuple[float, float]]) -> bytes:
    """A quiet tone with grain, and beeps far over full scale from–to these seconds."""
    grain = random.Random(7)
    values = array.array("f")
    for sample in range(round(seconds * SECOND)):
        at = sample / SECOND
        value = 0.2 * math.sin(2 * math.pi * 330 * at) + 0.01 * grain.uniform(-1, 1)
        if any(start <= at < end for start, end in bursts):
            value += 1.3 * math.sin(2 * math.pi * 2000 * at)
        values.extend((value, 0.9 * value))
    return values.tobytes()


def _parts(sound: bytes, samples: int) -> list[bytes]:
    return [sound[at : at + samples * BYTES] for at in range(0, len(sound), samples * BYTES)]


@pytest.mark.parametrize(
    "bursts",
    [
        pytest.param([(1.0, 1.1)], id="one in the middle"),
        pytest.param([(0.0, 0.05), (2.43, 2.5)], id="at both ends"),
        pytest.param([(0.5, 0.6), (0.75, 0.8), (1.9, 1.91)], id="two close together and one apart"),
        pytest.param([(0.5, 0.62), (0.75, 1.4)], id="a pause found and over within one block"),
    ],
)
@pytest.mark.parametrize("at_a_time", [48_000, 1_111])
def test_limiting_only_loud_moments_is_limiting_everything(bursts, at_a_time):
    sound = _sound(2.5, bursts)
    samples = len(sound) // BYTES
    parts = _parts(sound, at_a_time)
    spans = with_room(loud_spans(parts, -4.0, 0, samples), samples)
    assert 0 < sum(b - a for a, b in spans) < samples

    found = array.array("f", b"".join(limited(parts, 0, spans, LIMITER)))
    whole = array.array("f", b"".join(filtered(parts, LIMITER)))
    given = array.array("f", sound)
    assert len(found) == len(whole) == len(given)
    at = 0
    for first, last in [*spans, (samples, samples)]:
        assert found[2 * at : 2 * first] == given[2 * at : 2 * first], "quiet sound was touched"
        loud, wanted = found[2 * first : 2 * last], whole[2 * first : 2 * last]
        assert max((abs(a - b) for a, b in zip(loud, wanted, strict=True)), default=0) < 1e-4
        at = last
    assert max(found) < 10 ** (-1.4 / 20) < max(given)


def test_every_loud_sample_lies_well_inside_a_span():
    # Pauses of 100 to 200 ms at every place of a block.
    bursts = [(0.3 + 0.157 * turn, 0.3 + 0.157 * turn + 0.02) for turn in range(11)]
    sound = _sound(4.0, bursts)
    samples = len(sound) // BYTES
    spans = with_room(loud_spans(_parts(sound, 9_600), -4.0, 0, samples), samples)
    values = array.array("f", sound)
    for place in range(samples):
        if abs(values[2 * place]) >= 10 ** (-4 / 20):
            inside = [a for a, b in spans if a + 7_000 <= place < b - 7_000]
            assert inside, f"sample {place} is loud and in none of {spans}"


def test_silence_and_an_empty_film_have_no_loud_moment():
    silence = bytes(SECOND * BYTES)
    assert loud_spans([silence], -40.0, 0, SECOND) == []
    assert loud_spans([], -40.0, 0, 0) == []
    assert with_room([], SECOND) == ()
    assert list(limited([silence], 0, (), LIMITER)) == list(in_blocks([silence]))
