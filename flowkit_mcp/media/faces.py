"""The font files of this machine, and which letters each can write. Blocking, remembered for the process.

FlowKit brings no font of its own: what none of the machine's can write is told with what to install.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.media.lines import clusters, is_emoji

REGULAR = (
    *("NotoSans-Regular.ttf", "Inter-Regular.ttf", "SegoeUI.ttf", "segoeui.ttf", "Helvetica.ttc"),
    *("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf"),
)
BOLD = (
    *("NotoSans-Bold.ttf", "Inter-Bold.ttf", "segoeuib.ttf", "HelveticaNeue.ttc"),
    *("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf"),
)
#: Letters that China, Japan and Korea share have shapes of their own in each: by what else a line has.
_NOTO_CJK = {"ja": 0, "ko": 1, "zh": 2}
_EAST = {
    "ja": ("Hiragino Sans GB.ttc", "ヒラギノ角ゴシック W4.ttc", "YuGothM.ttc", "meiryo.ttc"),
    "ko": ("AppleSDGothicNeo.ttc", "malgun.ttf"),
    "zh": ("PingFang.ttc", "STHeiti Medium.ttc", "msyh.ttc", "wqy-microhei.ttc"),
}
_EMOJI = ("NotoColorEmoji.ttf", "Apple Color Emoji.ttc", "seguiemj.ttf")
#: The sizes in which those that are pictures have them.
_STRIKES = (109, 160, 96, 64)
_SUFFIXES = (".ttf", ".otf", ".ttc")
_MOST_FILES = 3_000
#: Made to be seen where letters are missing: they have a box for everything.
_NO_LETTERS = re.compile(r"lastresort|adobe-?blank|notdef", re.IGNORECASE)
#: What words on a picture look odd in.
_ODD = re.compile(
    r"italic|oblique|mono|serif|condensed|black|thin|light|extra|semi|display|nastaliq|typewriter",
    re.IGNORECASE,
)
_SIZE = 20
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True)
class Face:
    """A font file's name or path, and which of its faces."""

    file: str
    index: int = 0

    def font(self, size: int) -> Any:
        """Pillow's font; None if it is not on this machine, or none."""
        return _load(self.file, self.index, size)

    @property
    def strike(self) -> int:
        """The one size it has if its letters are pictures, else 0."""
        return _strike(self.file, self.index)

    @property
    def usable(self) -> bool:
        return self.font(_SIZE) is not None or self.strike > 0

    @property
    def coloured(self) -> bool:
        return Path(self.file).name in _EMOJI

    @property
    def bold(self) -> bool:
        font = self.font(_SIZE)
        return font is not None and "bold" in str(font.getname()[1]).lower()

    def has(self, cluster: str) -> bool:
        """Whether it draws a cluster as something else than its sign for "missing"."""
        return all(
            _has(self.file, self.index, letter)
            for letter in cluster
            if unicodedata.category(letter) not in {"Cf", "Cc"} and not _VARIANTS.match(letter)
        )


#: Pillow's own, for a machine without any font: plain Latin letters.
BUILT_IN = Face("")


def first_faces(bold: bool) -> list[Face]:
    """The plain fonts of this machine, the nicest first."""
    return [face for name in (BOLD if bold else REGULAR) if (face := Face(name)).usable]


@functools.cache
def other_face(cluster: str, bold: bool, style: str) -> Face | None:
    """A font for what the plain ones lack; `style` is `zh`, `ja` or `ko` for letters they share."""
    if is_emoji(cluster):
        named = [Face(name) for name in _EMOJI]
    elif unicodedata.east_asian_width(cluster[0]) in "WF":
        noto = f"NotoSansCJK-{'Bold' if bold else 'Regular'}.ttc"
        named = [Face(noto, _NOTO_CJK[style])]
        named += [Face(name) for east in (style, *_EAST) for name in _EAST[east]]
    else:
        named = []
    everything = (*named, *_installed(bold))
    return next((face for face in everything if face.usable and face.has(cluster)), None)


def missing(text: str, faces: Iterable[Face]) -> list[str]:
    """What neither these faces nor any other here can write, as names of scripts, in order."""
    first = list(faces)
    scripts: dict[str, None] = {}
    for cluster in dict.fromkeys(clusters(text)):
        if cluster.isspace() or unicodedata.category(cluster[0]) in {"Cf", "Cc", "Mn"}:
            continue
        if any(face.has(cluster) for face in first) or other_face(cluster, False, "zh"):
            continue
        scripts["emoji" if is_emoji(cluster) else _script(cluster[0])] = None
    return list(scripts)


def _script(letter: str) -> str:
    if unicodedata.category(letter).startswith("S"):
        return "symbols"
    return unicodedata.name(letter, "UNKNOWN").split()[0].title().replace("Cjk", "Chinese")


def remedy(scripts: Iterable[str]) -> str:
    """What to install so that these scripts can be written."""
    if sys.platform != "linux":
        return "install a font that has them (Noto, fonts.google.com/noto, has all)"
    east = ("Chinese", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Ideographic", "Fullwidth")
    package = dict.fromkeys(east, "cjk") | {"emoji": "color-emoji"}
    names = " ".join(
        sorted({f"fonts-noto-{package.get(one.partition('-')[0], 'core')}" for one in scripts})
    )
    return f"install fonts that have them (Debian, Ubuntu: apt install {names})"


@functools.cache
def _load(file: str, index: int, size: int) -> Any:
    from PIL import ImageFont  # late: Pillow is only needed once there is a picture

    if not file:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(file, size, index=index)
    except (OSError, ValueError):
        return None


@functools.cache
def _strike(file: str, index: int) -> int:
    if _load(file, index, _SIZE) is not None or Path(file).name not in _EMOJI:
        return 0
    return next((size for size in _STRIKES if _load(file, index, size) is not None), 0)


@functools.lru_cache(maxsize=20_000)
def _has(file: str, index: int, letter: str) -> bool:
    face = Face(file, index)
    font = face.font(face.strike or _SIZE)
    if font is None:
        return False
    if letter.isspace():
        return True
    if face.coloured:
        drawn, lacking = _painted(font, letter), _painted(font, "\U0010fffe")
    else:
        drawn, lacking = ((m.size, bytes(m)) for m in map(font.getmask, (letter, "\U0010fffe")))
    return drawn != lacking and any(drawn[1])


def _painted(font: Any, letter: str) -> tuple[tuple[int, int], bytes]:
    from PIL import Image, ImageDraw  # late: as above

    image: Any = Image.new("RGBA", (round(font.size * 1.5),) * 2, (0, 0, 0, 0))
    ImageDraw.Draw(image).text((0, 0), letter, font=font, embedded_color=True)
    return image.size, image.tobytes()


@functools.cache
def _installed(bold: bool) -> tuple[Face, ...]:
    """Every font of this machine: plain upright ones first, Noto's before others."""

    def rank(path: Path) -> tuple[int, bool, bool, str]:
        name = path.stem.lower()
        odd = len(_ODD.findall(name))
        return odd, ("bold" in name) is not bold, "noto" not in name, name

    return tuple(Face(str(path)) for path in sorted(_files(), key=rank))


@functools.cache
def _files() -> tuple[Path, ...]:
    return tuple(font_files())


def font_files() -> Iterator[Path]:
    seen = 0
    for folder in font_folders():
        for root, _, names in os.walk(folder):
            for name in sorted(names):
                if name.lower().endswith(_SUFFIXES) and not _NO_LETTERS.search(name):
                    seen += 1
                    if seen > _MOST_FILES:
                        return
                    yield Path(root, name)


def font_folders() -> list[Path]:
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", "")) / "Microsoft" / "Windows" / "Fonts"
        return [Path(os.environ.get("WINDIR", "C:\\Windows")) / "Fonts", local]
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    return [
        *(Path(folder) / "fonts" for folder in shared if folder),
        home / ".local" / "share" / "fonts",
        home / ".fonts",
    ]
