"""Clips → film: prepare, encode what differs, rebuild the sound, splice, verify, and only then a name.

A film is either complete or not there: everything is written beside it under `.part` names that are
gone afterwards, also when the task is cancelled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.cut import Cut, Profile
from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.binaries import EDITOR_ENCODER, ENCODER, able, lacking
from flowkit_mcp.media.encode import encode_pieces
from flowkit_mcp.media.estimate import Reporter, Stage, estimated
from flowkit_mcp.media.files import free_bytes, part_beside, settle
from flowkit_mcp.media.master import Soundtrack, master
from flowkit_mcp.media.names import shown_name
from flowkit_mcp.media.plan import Plan
from flowkit_mcp.media.prepare import Prepared, prepare
from flowkit_mcp.media.probe import Clip
from flowkit_mcp.media.run import Progress
from flowkit_mcp.media.score import compose
from flowkit_mcp.media.sound import BYTES
from flowkit_mcp.media.splice import Strip, Written, splice
from flowkit_mcp.media.threads import Stop, in_thread
from flowkit_mcp.media.timeline import FPS, SAMPLES_PER_FRAME
from flowkit_mcp.media.verify import verify_film

#: Is told each file that is about to be there, the film first: its name (where that is free) and its SHA-256 in hex.
Naming = Callable[[Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True)
class MergeResult:
    """A finished film. `copied` and `encoded` count clips; `plan` says why, ready for JSON.

    `report` is what was done to the sound and to narrations; `sidecars` are the caption files; `blocks` is the
    film's momentary loudness in LUFS every 100 ms.
    """

    file: MediaFile
    frames: int
    copied: int
    encoded: int
    plan: dict[str, Any]
    report: dict[str, Any]
    sidecars: tuple[Path, ...] = ()
    blocks: tuple[float, ...] = ()


async def plan_merge(clips: Sequence[Path], cut: Cut | None = None) -> dict[str, Any]:
    """What `merge` would do, without doing it: ready for JSON, and in words.

    `{"seconds", "width", "height", "frames", "encoded_frames", "clips": [{"file", "picture", "why", …}],
    "estimate_s", "narration": [{"clip", "done", "overrun_ms"}], "captions": count, "notes": [...],
    "words": [sentence, …]}`. `estimate_s` is reckoned from measured speeds of another machine.

    Raises:
        InvalidSetting: an option does not fit the clips.
        MediaError: a file is missing or damaged; the message names it.
    """
    with tempfile.TemporaryDirectory(prefix="flowkit-plan-") as folder:
        prepared = await prepare(clips, cut or Cut(), Path(folder))
        return described(prepared)


async def merge(
    clips: Sequence[Path],
    to: Path,
    *,
    ffmpeg: Path | str,
    cut: Cut | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
    stage: Callable[[Stage], None] | None = None,
    naming: Naming | None = None,
) -> MergeResult:
    """Join clips into an H.264/AAC MP4 at 24 fps, sound and picture in step.

    What is alike is copied bit for bit; ffmpeg is run only for what differs, for blends and for what
    lies under titles. If `to` is taken by another file, the next free name is used.

    Args:
        clips: MP4 files in film order.
        to: the film's place; for the editor's profile its suffix becomes `.mov`.
        ffmpeg: the program, see `binaries.find_ffmpeg`.
        cut: how; by default whole clips, hard cuts, −14 LUFS.
        scratch: a folder for unfinished work that survives a kill: a merge started again with the same
            folder uses the pieces that are there. It is removed at the end and on cancelling. By default
            a hidden one beside the film.
        progress: called with the share done, 0 to 1, never falling; from the event loop's thread.
        stage: called as `progress`, with the stage in words and the seconds left.
        naming: awaited when all is made and nothing has its name yet.

    Raises:
        InvalidSetting: no clips, `to` is one of the files used, or an option does not fit the clips.
        MediaError: a file is damaged (the message names it), ffmpeg failed, the disk is full, or the
            outcome is not as planned.
    """
    cut = cut or Cut()
    if not clips:
        raise InvalidSetting("there are no clips to merge")
    if cut.profile is Profile.EDITOR:
        to = to.with_suffix(".mov")
    if any(Path(file).resolve() == to.resolve() for file in (*clips, *cut.files)):
        raise InvalidSetting(
            f"{to.name} is one of the files used; the film needs a name of its own"
        )
    with _writing(to), _scratch(to, scratch) as folder:
        prepared = await prepare(clips, cut, folder)
        plan = prepared.plan
        _check_space(to, plan)
        report = Reporter(plan, progress, stage)
        encoded = await _encoded(prepared, folder, ffmpeg, report)
        part = folder / f"film{to.suffix}.part"
        sound = await in_thread(lambda stop: _sound(prepared, folder, stop, report))
        strips = _strips(plan, encoded)
        written = await in_thread(lambda stop: _assemble(strips, sound, part, stop, report))
        known: str | None = None
        if naming is not None:
            digests = await in_thread(lambda stop: _digests(prepared, part, to))
            known = digests[to.name]
            await naming(digests)
        named = await in_thread(
            lambda stop: _name(prepared, part, to, known), undo=_Named.take_back
        )
    report.end()
    return MergeResult(
        file=MediaFile(
            path=named.film,
            media=MediaKind.VIDEO,
            sha256=named.digest,
            bytes=named.film.stat().st_size,
            width=plan.format.width,
            height=plan.format.height,
            duration_ms=round(written.frames * 1000 / FPS),
        ),
        frames=written.frames,
        copied=plan.copied,
        encoded=len(plan.shots) - plan.copied,
        plan=described(prepared),
        report=sound.report,
        sidecars=named.captions,
        blocks=tuple(sound.blocks),
    )


async def _encoded(
    prepared: Prepared, folder: Path, ffmpeg: Path | str, report: Reporter
) -> dict[int, Clip]:
    """The pieces that are encoded; where this ffmpeg cannot for what it lacks, by the one that FlowKit brings."""
    plan, gained = prepared.plan, report.encoded
    try:
        return await encode_pieces(plan, prepared.overlays, folder, ffmpeg=ffmpeg, gained=gained)
    except MediaError as error:
        encoders = (EDITOR_ENCODER if plan.format.editor else ENCODER,)
        try:
            missing = await lacking(ffmpeg, encoders)
        except MediaError:
            raise error from None  # it does not even say what it has
        if not missing:
            raise
        other = await able(ffmpeg, encoders)
    return await encode_pieces(plan, prepared.overlays, folder, ffmpeg=other, gained=gained)


def described(prepared: Prepared) -> dict[str, Any]:
    """A plan for JSON, with its estimate and its words."""
    plan, seconds = prepared.plan, estimated(prepared.plan)
    copied = plan.frames - plan.encoded_frames
    words = [
        f"{plan.frames / FPS:.2f} s at {plan.format.width}×{plan.format.height}: "
        f"{copied} of {plan.frames} frames are copied as they are, {plan.encoded_frames} are encoded."
    ]
    by_reason: dict[str, list[str]] = {}
    for shot, why in zip(plan.shots, plan.reasons, strict=True):
        name = f"{shot.number}" if shot.number is not None else "intro/outro"
        for reason in why:
            by_reason.setdefault(reason, []).append(name)
    words += [f"Encoded: {reason} (clip {', '.join(on)})." for reason, on in by_reason.items()]
    words += [
        f"Narration of clip {v.narration.clip or 'the film'}: {v.fitted.words}."
        for v in prepared.voices
    ]
    words += [f"{note[0].upper()}{note[1:]}." for note in prepared.notes]
    words.append(f"About {seconds:.0f} s of work, by an estimate.")
    return plan.as_json() | {
        "seconds": round(plan.frames / FPS, 3),
        "estimate_s": round(seconds, 1),
        "narration": [
            {
                "clip": voice.narration.clip,
                "done": voice.fitted.words,
                "overrun_ms": voice.fitted.overrun_ms,
            }
            for voice in prepared.voices
        ],
        "captions": len(prepared.cues),
        "notes": list(prepared.notes),
        "words": words,
    }


@contextlib.contextmanager
def _writing(to: Path) -> Generator[None]:
    """What the disk refuses (it is full, read-only, gone) as a `MediaError`."""
    try:
        yield
    except OSError as error:
        raise MediaError(
            f"{shown_name(to)} cannot be written in {to.parent}: {error.strerror or error}",
            hint="Make room on the disk, or choose another folder; then merge again.",
        ) from error


def _strips(plan: Plan, encoded: dict[int, Clip]) -> list[Strip]:
    strips: list[Strip] = []
    for place, piece in enumerate(plan.pieces):
        if piece.copied:
            run = piece.runs[0]
            strips.append(Strip(run.shot.clip, piece.start, run.source_first, piece.frames))
        else:
            strips.append(Strip(encoded[place], piece.start, 0, piece.frames))
    return strips


def _sound(prepared: Prepared, folder: Path, stop: Stop, report: Reporter) -> Soundtrack:
    plan, cut = prepared.plan, prepared.cut
    score = compose(
        plan.timeline, cut, prepared.spoken, folder, stop=stop, progress=report.listened
    )
    sound = master(
        score.sounds,
        plan.frames * SAMPLES_PER_FRAME,
        cut.loudness,
        stop=stop,
        editor=plan.format.editor,
        progress=report.mixed,
    )
    sound.report.update(score.report)
    return sound


def _assemble(
    strips: Sequence[Strip], sound: Soundtrack, part: Path, stop: Stop, report: Reporter
) -> Written:
    written = splice(strips, sound, part, stop=stop, progress=report.spliced)
    report.verifying()
    verify_film(part, written, [strip.start for strip in strips], stop=stop)
    return written


def _digests(prepared: Prepared, part: Path, to: Path) -> dict[str, str]:
    with part.open("rb") as film:
        made = {to.name: hashlib.file_digest(film, "sha256").hexdigest()}
    for file, text in prepared.captions(to).items():
        made[file.name] = hashlib.sha256(text).hexdigest()
    return made


@dataclass(frozen=True)
class _Named:
    """A film and its captions under their names; `new`: no such film was there before."""

    film: Path
    digest: str
    new: bool
    captions: tuple[Path, ...] = ()

    def take_back(self) -> None:
        """A film that nobody is told of is not left behind."""
        for file in (self.film, *self.captions) if self.new else ():
            file.unlink(missing_ok=True)


def _name(prepared: Prepared, part: Path, to: Path, known: str | None) -> _Named:
    made = part.stat()
    film, digest = settle(part, to, known)
    named = _Named(film, digest, os.path.samestat(made, film.stat()))
    try:
        return replace(named, captions=prepared.write_captions(film))
    except MediaError:
        named.take_back()
        raise


def _check_space(to: Path, plan: Plan) -> None:
    source = sum({shot.clip.path: shot.clip.bytes for shot in plan.shots}.values())
    pixels = plan.format.width * plan.format.height
    encoded = plan.encoded_frames * pixels * (1.0 if plan.format.editor else 0.05)
    spooled = plan.frames * SAMPLES_PER_FRAME * BYTES
    needed = int(1.2 * source + encoded + spooled)
    free = free_bytes(to.parent)
    if free < needed:
        raise MediaError(
            f"the disk has {free / 1e6:.0f} MB free, the film needs about {needed / 1e6:.0f} MB",
            hint="Make room, then merge again.",
        )


@contextlib.contextmanager
def _scratch(to: Path, given: Path | None) -> Generator[Path]:
    """A folder for unfinished work that is gone afterwards, however the block is left."""
    folder = given or part_beside(to)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
