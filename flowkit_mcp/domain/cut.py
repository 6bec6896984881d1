"""The options of a cut: how the clips of a video become a film. Pure, frozen, ready for JSON.

Clips are named by their number in the film, from 1; intro and outro have none. Times are seconds: those
of a `Trim` count in the clip as it was generated, all others on the film's clock, or from the first shown
frame of `clip` where that is given. Files are paths of the person's own files. Every option has a
default that makes a good film, so `Cut()` is the plain merge.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flowkit_mcp.domain.subclips import subclips

Seconds = Annotated[float, Field(ge=0, le=36_000, allow_inf_nan=False)]
Decibels = Annotated[float, Field(ge=-60, le=24, allow_inf_nan=False)]
ClipNumber = Annotated[int, Field(ge=1, le=10_000)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
FileName = Annotated[str, Field(min_length=1, max_length=4_096)]
Hex = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]


class _Option(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trim(_Option):
    """The part of a clip that is shown; nothing is cut out of the file. `end_s` None is its end."""

    clip: ClipNumber
    start_s: Seconds = 0.0
    end_s: Seconds | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"clip {self.clip}: end_s must be later than start_s")
        return self


class JoinKind(StrEnum):
    CUT = "cut"
    #: Both clips are seen while one becomes the other; the film is shorter by that time.
    CROSSFADE = "crossfade"
    #: Half the time down to black, half up again; the film keeps its length.
    FADE_BLACK = "fade_black"


class Join(_Option):
    """How one clip follows another. `seconds` means nothing for a cut."""

    kind: JoinKind = JoinKind.CUT
    seconds: Annotated[float, Field(gt=0, le=5)] = 0.5


class JoinAt(Join):
    """One join that differs from the others: the one after clip `after`."""

    after: ClipNumber


class Loudness(_Option):
    """EBU R128. Off leaves every level as it is, and louder peaks with it."""

    on: bool = True
    target_lufs: Annotated[float, Field(ge=-31, le=-9)] = -14.0
    true_peak_db: Annotated[float, Field(ge=-9, le=-0.5)] = -1.0
    #: How far a clip may be turned up or down towards the film; 0 leaves the clips alone.
    level_clips_db: Annotated[float, Field(ge=0, le=24)] = 12.0


class Ducking(_Option):
    """How far other sound goes down under speech; `before_s` earlier, so that no word starts covered."""

    music_db: Annotated[float, Field(ge=0, le=60)] = 12.0
    clips_db: Annotated[float, Field(ge=0, le=60)] = 6.0
    before_s: Annotated[float, Field(ge=0, le=5)] = 0.25
    after_s: Annotated[float, Field(ge=0, le=5)] = 0.5


class MusicFit(StrEnum):
    LOOP = "loop"
    ONCE = "once"
    #: Played faster or slower, 0.5 to 2 times, so that it ends with the film.
    STRETCH = "stretch"


class Music(_Option):
    """Music under the film. `volume_db` is its loudness beside the clips' own, both measured."""

    file: FileName
    start_s: Seconds = 0.0
    #: Where in the file it begins.
    from_s: Seconds = 0.0
    volume_db: Decibels = -10.0
    fade_in_s: Seconds = 0.5
    fade_out_s: Seconds = 2.0
    fit: MusicFit = MusicFit.LOOP


class Speech(_Option):
    """Where somebody speaks in the clips themselves: music goes down there."""

    start_s: Seconds
    end_s: Seconds
    clip: ClipNumber | None = None


class NarrationFit(StrEnum):
    """What is done when narration and picture differ in length; speech is never cut."""

    #: Faster speech within `max_speed`, then the last frame held within `max_hold_s`.
    AUTO = "auto"
    #: As AUTO, and a clip that is longer than its narration ends `tail_s` after it.
    TRIM = "trim"
    FREEZE = "freeze"
    SPEED = "speed"
    #: It runs on into the next clip.
    NONE = "none"


class Narration(_Option):
    """A spoken file for one clip, or for the whole film where `clip` is left out."""

    file: FileName
    clip: ClipNumber | None = None
    #: What is said, for captions.
    text: Annotated[str, Field(max_length=20_000)] = ""
    delay_s: Seconds = 0.2
    volume_db: Decibels = 0.0
    fit: NarrationFit = NarrationFit.AUTO
    max_speed: Annotated[float, Field(ge=1, le=2)] = 1.15
    max_hold_s: Annotated[float, Field(ge=0, le=30)] = 3.0
    #: Picture that is left after the last word.
    tail_s: Seconds = 0.3


class Cue(_Option):
    """One caption."""

    start_s: Seconds
    end_s: Seconds
    text: Text
    clip: ClipNumber | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError("a cue's end_s must be later than its start_s")
        return self


class TextSize(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class CaptionStyle(_Option):
    size: TextSize = TextSize.MEDIUM
    colour: Hex = "#FFFFFF"
    #: A dark box behind the text instead of an outline around it.
    box: bool = False
    top: bool = False
    #: A TTF, OTF or TTC file that is asked first; then come the machine's own fonts.
    font_file: FileName | None = None


class Captions(_Option):
    """Captions as files beside the film, and in the picture if `burn`.

    `cues` win; without them they are made from the text of the narration.
    """

    cues: tuple[Cue, ...] = ()
    burn: bool = False
    style: CaptionStyle = CaptionStyle()


class TitleKind(StrEnum):
    TITLE = "title"
    LOWER_THIRD = "lower_third"


class Title(_Option):
    """Words over the picture; `subtitle` stands smaller below them."""

    text: Text
    subtitle: Annotated[str, Field(max_length=500)] = ""
    kind: TitleKind = TitleKind.TITLE
    clip: ClipNumber | None = None
    start_s: Seconds = 0.5
    seconds: Annotated[float, Field(gt=0, le=600)] = 3.0
    colour: Hex = "#FFFFFF"


class Corner(StrEnum):
    TOP_LEFT = "top_left"
    TOP_RIGHT = "top_right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM_RIGHT = "bottom_right"


class Logo(_Option):
    """A picture over the whole film. `width` is its share of the film's shorter side."""

    file: FileName
    corner: Corner = Corner.TOP_RIGHT
    width: Annotated[float, Field(gt=0, le=0.5)] = 0.12
    opacity: Annotated[float, Field(gt=0, le=1)] = 0.9


class Insert(_Option):
    """An intro or outro: a clip, a picture shown for `seconds`, or `text` on a plain ground."""

    file: FileName | None = None
    text: Annotated[str, Field(max_length=500)] = ""
    subtitle: Annotated[str, Field(max_length=500)] = ""
    seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    ground: Hex = "#000000"
    #: Between it and the film.
    join: Join = Join()

    @model_validator(mode="after")
    def _is_something(self) -> Self:
        if (self.file is None) == (not self.text):
            raise ValueError("an intro or outro is either a file or a text")
        return self


class Profile(StrEnum):
    """What comes out. The numbers are the film's shorter side."""

    #: As large as the largest clip.
    SOURCE = "source"
    P720 = "720p"
    P1080 = "1080p"
    P2160 = "2160p"
    #: ProRes 422 HQ with uncompressed sound in a MOV, as large as the largest clip, for editors.
    EDITOR = "editor"


class Mixed(StrEnum):
    """What becomes of clips that stand while the film lies, or the other way round."""

    REFUSE = "refuse"
    PAD = "pad"
    CROP = "crop"


class Cut(_Option):
    """Everything that turns clips into a film. Part of the request and of the render's recipe."""

    trims: tuple[Trim, ...] = ()
    join: Join = Join()
    joins: tuple[JoinAt, ...] = ()
    loudness: Loudness = Loudness()
    ducking: Ducking = Ducking()
    music: Music | None = None
    narration: tuple[Narration, ...] = ()
    speech: tuple[Speech, ...] = ()
    captions: Captions | None = None
    titles: tuple[Title, ...] = ()
    logo: Logo | None = None
    intro: Insert | None = None
    outro: Insert | None = None
    profile: Profile = Profile.SOURCE
    mixed: Mixed = Mixed.REFUSE
    #: Take the upscaled clip of a scene where there is one.
    use_upscales: bool = True

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        for what, numbers in (
            ("trims", [trim.clip for trim in self.trims]),
            ("joins", [join.after for join in self.joins]),
            ("narration", [one.clip for one in self.narration]),
        ):
            if len(set(numbers)) != len(numbers):
                raise ValueError(f"{what} names a clip twice")
        return self

    def trim_of(self, clip: int) -> Trim:
        """The trim of a clip by its number; all of it where none is given."""
        return next((trim for trim in self.trims if trim.clip == clip), Trim(clip=clip))

    def join_after(self, clip: int) -> Join:
        """The join after a clip, by its number."""
        return next((join for join in self.joins if join.after == clip), self.join)

    @property
    def clip_numbers(self) -> frozenset[int]:
        """Every clip that some option names."""
        named: list[int | None] = [trim.clip for trim in self.trims]
        named += [join.after for join in self.joins]
        for timed in (*self.narration, *self.speech, *self.titles):
            named.append(timed.clip)
        if self.captions is not None:
            named += [cue.clip for cue in self.captions.cues]
        return frozenset(number for number in named if number is not None)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that some option names."""
        found = [self.music.file] if self.music else []
        found += [one.file for one in self.narration]
        found += [self.logo.file] if self.logo else []
        style = self.captions.style if self.captions else None
        found += [style.font_file] if style and style.font_file else []
        found += [one.file for one in (self.intro, self.outro) if one is not None and one.file]
        return tuple(found)


def trim_to_words(clip: int, text: str, words: str) -> Trim | None:
    """The trim that keeps from the first to the last timed part in which `words` stand.

    Capitals and spacing do not matter. None if no timed part of `text` has them.
    """
    wanted = _plain(words)
    parts = [
        (beat.start_s, beat.end_s)
        for beat in subclips(text)
        if beat.start_s < beat.end_s and wanted and wanted in _plain(beat.text)
    ]
    if not parts:
        return None
    return Trim(
        clip=clip, start_s=min(start for start, _ in parts), end_s=max(end for _, end in parts)
    )


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
