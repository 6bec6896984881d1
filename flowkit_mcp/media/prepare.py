"""Everything that is known before the first frame is encoded: clips, speech, timeline, texts, plan."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp.domain.cut import Captions, Cut, Insert
from flowkit_mcp.media.captions import TimedText, settled, srt, vtt
from flowkit_mcp.media.cards import Artist, Card
from flowkit_mcp.media.fonts import Fonts
from flowkit_mcp.media.graph import Overlay
from flowkit_mcp.media.plan import Plan, film_size, make_plan
from flowkit_mcp.media.probe import Clip, read_clip, still_clip
from flowkit_mcp.media.speech import Spoken, listen
from flowkit_mcp.media.stills import VIDEO_SUFFIXES, save_bytes
from flowkit_mcp.media.threads import Stop, in_thread
from flowkit_mcp.media.timeline import FPS, Timeline, Voice, lay_out, to_frames

_TITLE_FADE = FPS // 2


@dataclass(frozen=True)
class Prepared:
    """A film that only has to be made: its plan, what is drawn over it, what is said and written in it."""

    cut: Cut
    plan: Plan
    spoken: Mapping[str, Spoken]
    overlays: tuple[Overlay, ...]
    cues: tuple[TimedText, ...]
    notes: tuple[str, ...]

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The narrations in their places."""
        return self.plan.timeline.voices

    def captions(self, film: Path) -> dict[Path, bytes]:
        """`<film>.srt` and `<film>.vtt` in UTF-8, if there are captions."""
        if not self.cues:
            return {}
        texts = {".srt": srt(self.cues), ".vtt": vtt(self.cues)}
        return {film.with_suffix(suffix): text.encode() for suffix, text in texts.items()}

    def write_captions(self, film: Path) -> tuple[Path, ...]:
        """Where they are now. Blocking."""
        return tuple(save_bytes(text, file) for file, text in self.captions(film).items())


async def prepare(clips: Sequence[Path], cut: Cut, folder: Path) -> Prepared:
    """Read all files, lay the film out and draw its words into `folder`.

    Raises:
        InvalidSetting: an option does not fit the clips, or a font cannot be used.
        MediaError: a file is missing or damaged; the message names it.
    """
    return await in_thread(lambda stop: _prepare(clips, cut, folder, stop))


def _prepare(clips: Sequence[Path], cut: Cut, folder: Path, stop: Stop) -> Prepared:
    def read(clip: Path) -> Clip:
        stop.check()
        return read_clip(clip)

    different = list(dict.fromkeys(clips))
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        known = dict(zip(different, pool.map(read, different), strict=True))
    probed = [known[clip] for clip in clips]
    size = film_size(probed, cut)
    captions = cut.captions
    own_font = captions.style.font_file if captions else None
    artist = Artist(*size, folder, Fonts(Path(own_font) if own_font else None))
    spoken: dict[str, Spoken] = {}
    for one in cut.narration:
        stop.check()
        if one.file not in spoken:
            spoken[one.file] = listen(Path(one.file))
    timeline = lay_out(
        probed,
        cut,
        intro=_insert(cut.intro, artist, folder / "intro.png"),
        outro=_insert(cut.outro, artist, folder / "outro.png"),
        spoken={name: one.seconds for name, one in spoken.items()},
    )
    notes = list(timeline.notes)
    notes += [
        f"the narration {_of(voice)} reaches {voice.fitted.overrun_ms} ms over its picture"
        for voice in timeline.voices
        if voice.fitted.overrun_ms
    ]
    cues: tuple[TimedText, ...] = ()
    if captions is not None:
        upright = size[1] > size[0]
        cues, said = settled(captions, timeline, spoken, upright=upright)
        notes += said
    overlays = _overlays(cut, captions, timeline, cues, artist)
    notes += _unwritable(cut, captions, cues, artist)
    covered = [(overlay.start, overlay.end) for overlay in overlays]
    plan = make_plan(timeline, cut, covered=covered)
    return Prepared(cut, plan, spoken, tuple(overlays), cues, tuple(notes))


def _insert(insert: Insert | None, artist: Artist, drawn: Path) -> Clip | None:
    """Intro or outro as a clip: a video as it is, a picture or words as a still one."""
    if insert is None:
        return None
    if insert.file is None:
        artist.full(insert.text, insert.subtitle, insert.ground, drawn)
    elif Path(insert.file).suffix.lower() in VIDEO_SUFFIXES:
        return read_clip(Path(insert.file))
    else:
        artist.picture(Path(insert.file), drawn)
    frames = max(1, to_frames(insert.seconds))
    return still_clip(drawn, (artist.width, artist.height), frames, FPS)


def _overlays(
    cut: Cut,
    captions: Captions | None,
    timeline: Timeline,
    cues: Sequence[TimedText],
    artist: Artist,
) -> list[Overlay]:
    overlays: list[Overlay] = []
    if cut.logo is not None:
        overlays.append(_over(artist.logo(cut.logo), 0, timeline.frames))
    for title in cut.titles:
        start = timeline.frame_at(title.start_s, title.clip)
        end = min(timeline.frames, start + max(1, to_frames(title.seconds)))
        if start < end:
            fade = min(_TITLE_FADE, (end - start) // 3)
            overlays.append(_over(artist.title(title), start, end, fade))
    if captions is not None and captions.burn:
        for cue in cues:
            overlays.append(_over(artist.caption(cue.text, captions.style), cue.start, cue.end))
    return overlays


def _over(card: Card, start: int, end: int, fade: int = 0) -> Overlay:
    return Overlay(card.picture, card.x, card.y, start, end, fade)


def _unwritable(
    cut: Cut, captions: Captions | None, cues: Sequence[TimedText], artist: Artist
) -> list[str]:
    texts = [title.text + title.subtitle for title in cut.titles]
    texts += [one.text + one.subtitle for one in (cut.intro, cut.outro) if one is not None]
    if captions is not None and captions.burn:
        texts += [cue.text for cue in cues]
    found = artist.unwritable(" ".join(texts))
    if found and captions is not None:
        found += ", or give one as font_file of the captions' style"
    return [found] if found else []


def _of(voice: Voice) -> str:
    clip = voice.narration.clip
    return "of the film" if clip is None else f"of clip {clip}"
