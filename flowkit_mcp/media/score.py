"""What is heard when: clips, narration and music of a cut as sounds with their curves of loudness."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.cut import Cut, Music, MusicFit
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.media.levels import BLOCK, Heard, Meter, clip_gains
from flowkit_mcp.media.mix import Curve, Sound, ducked, fade, level
from flowkit_mcp.media.sound import BYTES, clip_pcm, file_pcm
from flowkit_mcp.media.speech import Spoken
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import SAMPLE_RATE, SAMPLES_PER_FRAME, Shot, Timeline, Voice

#: At every hard join, so that it cannot click: 5 ms.
JOIN_FADE = SAMPLE_RATE // 200
#: Where music begins again it overlaps itself by 1 s.
_SEAM = SAMPLE_RATE
#: The loudness of voice and music follows that of the clips within these bounds, in LUFS.
_QUIETEST, _LOUDEST = -30.0, -10.0


@dataclass(frozen=True)
class Score:
    """All sounds of a film, and what was done to their levels, ready for JSON."""

    sounds: tuple[Sound, ...]
    report: dict[str, Any]


def compose(
    timeline: Timeline,
    cut: Cut,
    spoken: Mapping[str, Spoken],
    folder: Path,
    *,
    stop: Stop,
    progress: Callable[[float], None] | None = None,
) -> Score:
    """Decode everything into spool files in `folder` and give each sound its place and curve. Blocking.

    Args:
        timeline: the film in frames.
        cut: its options.
        spoken: what `speech.listen` found in each narration file.
        folder: an existing folder for files that the caller removes.
        stop: ends it early.
        progress: called with the share done.

    Raises:
        MediaError: a clip or sound file does not decode; the message names it.
    """
    heard = _spool_shots(timeline.shots, folder, stop, progress)
    most = cut.loudness.level_clips_db if cut.loudness.on else 0.0
    own = [one for shot, one in zip(timeline.shots, heard, strict=True) if shot.number is not None]
    film_level, _ = clip_gains(own, most)
    gains = clip_gains(heard, most)[1]
    base = max(
        _QUIETEST, min(_LOUDEST, cut.loudness.target_lufs if film_level is None else film_level)
    )
    duck = cut.ducking
    before, after = round(duck.before_s * SAMPLE_RATE), round(duck.after_s * SAMPLE_RATE)
    told = [span for voice in timeline.voices for span in _voice_spans(voice, spoken)]
    known = [
        (timeline.frame_at(one.start_s, one.clip), timeline.frame_at(one.end_s, one.clip))
        for one in cut.speech
    ]
    spans = told + [(a * SAMPLES_PER_FRAME, b * SAMPLES_PER_FRAME) for a, b in known if a < b]
    sounds: list[Sound] = []
    under_voice = ducked(told, duck.clips_db, before, after)
    for number, (shot, one, db) in enumerate(zip(timeline.shots, heard, gains, strict=True)):
        if one is None:
            continue
        start, length = shot.start * SAMPLES_PER_FRAME, shot.moving * SAMPLES_PER_FRAME
        curve = _edges(shot).times(level(db), under_voice)
        sounds.append(Sound(_spool(folder, "shot", number), 0, start, length, curve))
    report: dict[str, Any] = {
        "clips": [
            {
                "loudness": None if one is None or one.loudness is None else round(one.loudness, 1),
                "peak_db": None if one is None else round(one.peak, 1),
                "gain_db": round(db, 1),
                "clipped": one is not None and one.peak >= -0.01,
            }
            for one, db in zip(heard, gains, strict=True)
        ]
    }
    for number, voice in enumerate(timeline.voices):
        stop.check()
        spool = _spool(folder, "voice", number)
        speed = voice.fitted.speed
        one = _write(spool, file_pcm(Path(voice.narration.file), speed=speed), stop)
        up = voice.narration.volume_db
        if cut.loudness.on and one.loudness is not None:
            up += base - one.loudness
        samples = spool.stat().st_size // BYTES
        curve = _soft(voice.start, samples, JOIN_FADE, JOIN_FADE).times(level(up))
        sounds.append(Sound(spool, 0, voice.start, samples, curve))
    report["narration"] = [
        {
            "clip": voice.narration.clip,
            "done": voice.fitted.words,
            "overrun_ms": voice.fitted.overrun_ms,
        }
        for voice in timeline.voices
    ]
    if cut.music is not None:
        quiet = ducked(spans, duck.music_db, before, after)
        length = timeline.frames * SAMPLES_PER_FRAME
        sounds += _music(cut.music, length, base, quiet, folder, stop)
    report["ducked"] = [[round(a / SAMPLE_RATE, 3), round(b / SAMPLE_RATE, 3)] for a, b in spans]
    return Score(tuple(sounds), report)


def _spool_shots(
    shots: Sequence[Shot], folder: Path, stop: Stop, progress: Callable[[float], None] | None
) -> list[Heard | None]:
    """Each shot's sound in a file of its own, measured; None for those that have none."""
    done = 0

    def one(numbered: tuple[int, Shot]) -> Heard | None:
        nonlocal done
        number, shot = numbered
        if shot.clip.sound is None:
            return None
        pcm = clip_pcm(shot.clip, shot.first * SAMPLES_PER_FRAME, shot.moving * SAMPLES_PER_FRAME)
        heard = _write(_spool(folder, "shot", number), pcm, stop)
        done += 1
        if progress is not None:
            progress(done / len(shots))
        return heard

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(one, enumerate(shots)))


def _write(spool: Path, parts: Iterable[bytes], stop: Stop) -> Heard:
    meter, waiting = Meter(), b""
    with spool.open("wb") as file:
        for part in parts:
            stop.check()
            file.write(part)
            waiting += part
            whole = len(waiting) // (BLOCK * BYTES) * BLOCK * BYTES
            if whole:
                meter.push(waiting[:whole])
                waiting = waiting[whole:]
    if waiting:
        meter.push(waiting)
    return meter.end()


def _edges(shot: Shot) -> Curve:
    """A shot's fades: crossing where it is blended, to and from black with the picture, else 5 ms."""
    start, end = shot.start * SAMPLES_PER_FRAME, (shot.end - shot.hold) * SAMPLES_PER_FRAME
    curves: list[Curve] = []
    for into, blend, black in (
        (True, shot.blend_in, shot.fade_in),
        (False, shot.blend_out, shot.fade_out),
    ):
        # With a held last frame the sound ends before the join and only needs its 5 ms.
        over = 0 if shot.hold and not into else max(blend, black)
        samples = over * SAMPLES_PER_FRAME or min(JOIN_FADE, (end - start) // 2)
        at = start if into else end - samples
        curves.append(fade(at, samples, into=into, equal_power=bool(blend and over)))
    return curves[0].times(curves[1])


def _soft(start: int, samples: int, fade_in: int, fade_out: int) -> Curve:
    fade_in, fade_out = min(fade_in, samples // 2), min(fade_out, samples // 2)
    return fade(start, fade_in, into=True).times(
        fade(start + samples - fade_out, fade_out, into=False)
    )


def _voice_spans(voice: Voice, spoken: Mapping[str, Spoken]) -> list[tuple[int, int]]:
    found, speed = spoken[voice.narration.file], voice.fitted.speed
    return [
        (voice.start + round(a / speed), voice.start + round(b / speed)) for a, b in found.spans
    ]


def _music(
    music: Music, length: int, base: float, quiet: Curve, folder: Path, stop: Stop
) -> list[Sound]:
    spool = _spool(folder, "music", 0)
    start, skip = round(music.start_s * SAMPLE_RATE), round(music.from_s * SAMPLE_RATE)
    if start >= length:
        raise InvalidSetting(f"the music starts at {music.start_s:g} s, after the film's end")
    one = _write(spool, file_pcm(Path(music.file)), stop)
    there = spool.stat().st_size // BYTES
    if music.fit is MusicFit.STRETCH and there > skip:
        speed = max(0.5, min(2.0, (there - skip) / (length - start)))
        if abs(speed - 1) > 1e-4:
            one = _write(spool, file_pcm(Path(music.file), speed=speed), stop)
            there, skip = spool.stat().st_size // BYTES, round(skip / speed)
    if there <= skip:
        raise InvalidSetting(f"from_s {music.from_s:g} is after the end of the music")
    end = length if music.fit is MusicFit.LOOP else min(length, start + there - skip)
    up = level(0.0 if one.loudness is None else base + music.volume_db - one.loudness)
    shape = _soft(
        start,
        end - start,
        round(music.fade_in_s * SAMPLE_RATE),
        round(music.fade_out_s * SAMPLE_RATE),
    )
    whole = shape.times(up, quiet)
    sounds: list[Sound] = []
    at, first = start, skip
    while at < end:
        samples = min(there - first, end - at)
        seam = min(_SEAM, samples // 2)
        curve = whole
        if sounds:
            curve = curve.times(fade(at, min(_SEAM, samples), into=True, equal_power=True))
        again = at + samples < end
        if again:
            curve = curve.times(fade(at + samples - seam, seam, into=False, equal_power=True))
        sounds.append(Sound(spool, first, at, samples, curve))
        at, first = (at + samples - seam, skip) if again else (end, skip)
        if there - skip <= _SEAM // 10 and len(sounds) > 10_000:
            raise InvalidSetting(f"{Path(music.file).name} is too short to be repeated")
    return sounds


def _spool(folder: Path, kind: str, number: int) -> Path:
    return folder / f"{kind}-{number}.f32"
