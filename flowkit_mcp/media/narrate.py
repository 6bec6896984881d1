"""How a narration and its picture are made equally long. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flowkit_mcp.domain.cut import Narration, NarrationFit


@dataclass(frozen=True)
class Fitted:
    """What is done: speech played `speed` times as fast, picture `hold` frames longer or `shorten` shorter.

    `seconds` is the speech as heard, `overrun_ms` what still reaches beyond the picture.
    """

    seconds: float
    speed: float = 1.0
    hold: int = 0
    shorten: int = 0
    overrun_ms: int = 0

    @property
    def words(self) -> str:
        """For reports, e.g. `speech 1.08× faster, last frame held 0.50 s`."""
        done: list[str] = []
        if self.speed > 1:
            done.append(f"speech {self.speed:.2f}× faster")
        if self.hold:
            done.append(f"last frame held for {self.hold} frames")
        if self.shorten:
            done.append(f"picture {self.shorten} frames shorter")
        if self.overrun_ms:
            done.append(f"runs {self.overrun_ms} ms over its picture")
        return ", ".join(done) or "fits as it is"


def fit_voice(
    narration: Narration, speech_s: float, frames: int, fps: int, *, whole_film: bool = False
) -> Fitted:
    """Fit speech of `speech_s` seconds to `frames` frames of picture, as the narration says.

    Speed comes before holding (media.md §3): a slightly faster voice is noticed less than a still
    picture. What cannot be fitted within the limits is reported, never cut off.
    """
    if speech_s <= 0 or narration.fit is NarrationFit.NONE:
        return Fitted(speech_s, overrun_ms=_over(speech_s, narration, frames, fps))
    # Film frame counts decide; 1e-6 keeps 8.0 s of speech from needing a 193rd frame.
    room = frames / fps - narration.delay_s - narration.tail_s
    if speech_s <= room + 1e-6:
        spare = frames - math.ceil((narration.delay_s + speech_s + narration.tail_s) * fps - 1e-6)
        trims = narration.fit is NarrationFit.TRIM and not whole_film
        return Fitted(speech_s, shorten=max(0, min(spare, frames - 1)) if trims else 0)
    speed = 1.0
    if narration.fit is not NarrationFit.FREEZE:
        least_room = max(room, 0.001)
        speed = min(narration.max_speed, speech_s / least_room)
    heard = speech_s / speed
    missing = math.ceil((narration.delay_s + heard + narration.tail_s) * fps - 1e-6) - frames
    hold = 0
    if narration.fit is not NarrationFit.SPEED:
        hold = min(max(0, missing), int(narration.max_hold_s * fps))
    over = _over(heard, narration, frames + hold, fps)
    return Fitted(heard, speed, hold, overrun_ms=over)


def _over(speech_s: float, narration: Narration, frames: int, fps: int) -> int:
    return max(0, round((narration.delay_s + speech_s - frames / fps) * 1000))
