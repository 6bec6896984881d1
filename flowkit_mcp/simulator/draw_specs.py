"""What the renderer is asked for. Kept apart so that the drawing need not import the processes."""

from __future__ import annotations

from dataclasses import dataclass

FPS = 24


@dataclass(frozen=True)
class Reference:
    """A reference picture (JPEG or PNG bytes) and the title or prompt it was made from."""

    label: str
    image: bytes


@dataclass(frozen=True)
class PictureSpec:
    """What to draw. `base` is the picture to edit; `title` names it, e.g. the character's name."""

    prompt: str
    width: int
    height: int
    seed: int
    references: tuple[Reference, ...] = ()
    base: bytes | None = None
    title: str = ""


@dataclass(frozen=True)
class ClipSpec:
    """What to film: `duration_s` whole seconds at 24 fps, from `start` to `end` where given."""

    prompt: str
    width: int
    height: int
    duration_s: int
    seed: int
    start: bytes | None
    end: bytes | None
