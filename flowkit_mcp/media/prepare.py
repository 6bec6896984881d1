"""Everything that is known before the first frame is encoded: clips, speech, timeline, texts, plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp.domain.cut import Cut
from flowkit_mcp.media.graph import Overlay
from flowkit_mcp.media.plan import Plan, make_plan
from flowkit_mcp.media.probe import probe
from flowkit_mcp.media.speech import Spoken, listen
from flowkit_mcp.media.timeline import Voice, lay_out


@dataclass(frozen=True)
class Prepared:
    """A film that only has to be made."""

    cut: Cut
    plan: Plan
    spoken: Mapping[str, Spoken]
    overlays: tuple[Overlay, ...]
    cues: tuple[object, ...]
    notes: tuple[str, ...]

    @property
    def voices(self) -> tuple[Voice, ...]:
        return self.plan.timeline.voices

    def write_captions(self, film: Path) -> tuple[Path, ...]:
        return ()


async def prepare(clips: Sequence[Path], cut: Cut, folder: Path) -> Prepared:
    probed = [await probe(clip) for clip in clips]
    spoken: dict[str, Spoken] = {}
    for one in cut.narration:
        if one.file not in spoken:
            spoken[one.file] = await asyncio.to_thread(listen, Path(one.file))
    timeline = lay_out(probed, cut, spoken={name: one.seconds for name, one in spoken.items()})
    return Prepared(cut, make_plan(timeline, cut), spoken, (), (), timeline.notes)
