"""The library on disk: names, unfinished files, keeping what was checked, staying inside.

Every file is written under a hidden `.part` name beside its place, checked, synced and only then
given its name; a name once given never gets other content. Rows about files are the store's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.models import MediaKind, Orientation, Stage
from flowkit_mcp.errors import InvalidSetting, MediaError, NotFound
from flowkit_mcp.media.names import slug
from flowkit_mcp.media.pictures import check_picture
from flowkit_mcp.media.probe import read_clip
from flowkit_mcp.media.threads import in_thread

__all__ = ["MediaStore", "part_beside", "settle", "slug"]

#: Tells this run's unfinished files from those of a dead run that had the same process id.
_RUN = secrets.token_hex(3)


class MediaStore:
    """Media below one library folder, laid out by project, video and scene."""

    def __init__(self, library: Path) -> None:
        self.library = library.absolute()

    @property
    def looks(self) -> Path:
        """Where measures and sheets are kept: a cache."""
        return self.library / ".flowkit" / "looks"

    def take_path(
        self,
        *,
        project: str,
        video: str,
        scene_number: int,
        orientation: Orientation,
        stage: Stage,
        number: int,
        suffix: str,
    ) -> Path:
        """`<library>/<project>/<video>/scene-03/vertical-video-take-2.mp4`."""
        name = f"{orientation.lower()}-{stage.value}-take-{number}{_suffix(suffix)}"
        return self.library / slug(project) / slug(video) / f"scene-{scene_number:02d}" / name

    def reference_path(self, *, character: str, number: int, suffix: str) -> Path:
        """`<library>/characters/<character>/reference-take-1.jpg`."""
        name = f"reference-take-{number}{_suffix(suffix)}"
        return self.library / "characters" / slug(character) / name

    def render_path(
        self, *, project: str, video: str, orientation: Orientation, number: int
    ) -> Path:
        """`<library>/<project>/<video>/<video>-vertical-1.mp4`."""
        name = f"{slug(video)}-{orientation.lower()}-{number}.mp4"
        return self.library / slug(project) / slug(video) / name

    def part_for(self, final: Path) -> Path:
        """A new hidden name beside `final` to write to; its folder is there afterwards."""
        return part_beside(final)

    async def keep(self, part: Path, final: Path, kind: MediaKind) -> MediaFile:
        """Check a written part and give it its name; the part is gone afterwards, whatever happens.

        Pictures are decoded in full; of clips the header is compared with every packet. A picture
        whose content is of another type than `final` says gets the true suffix. If another file has
        the name already, the next free one is used (`take-2 (2).mp4`): `MediaFile.path` tells.

        Raises:
            MediaError: the content is damaged, cut short or not of this kind.
        """
        self.absolute(self.relative(final))  # refuses a place outside the library
        try:
            return await in_thread(lambda stop: _keep(part, final, kind))
        finally:
            part.unlink(missing_ok=True)

    async def import_file(self, source: Path, final: Path, kind: MediaKind) -> MediaFile:
        """Copy a person's own file into the library; the original stays untouched.

        Raises:
            NotFound: there is no such file.
            InvalidSetting: it is too large, of a type that cannot be used, or damaged.
        """
        source = source.expanduser()
        if not source.is_file():
            raise NotFound(f"there is no file {source}", hint="Give the full path of a file.")
        if kind is MediaKind.IMAGE:
            await asyncio.to_thread(_check_own_picture, source)
        part = self.part_for(final)
        try:
            await in_thread(lambda stop: shutil.copyfile(source, part))
            return await self.keep(part, final, kind)
        except MediaError as error:
            raise InvalidSetting(
                f"{source.name} cannot be used: {error.message}", hint="Give another file."
            ) from error
        finally:
            part.unlink(missing_ok=True)

    def relative(self, path: Path) -> str:
        """The path below the library with forward slashes, as the store keeps it.

        Raises:
            InvalidSetting: it is not below the library, be it by `..` or by a link.
        """
        absolute = path if path.is_absolute() else self.library / path
        root, resolved = self.library.resolve(), absolute.resolve()
        if root == resolved or root not in resolved.parents:
            raise InvalidSetting(f"{path} is outside the library {self.library}")
        with contextlib.suppress(ValueError):
            return absolute.relative_to(self.library).as_posix()
        return resolved.relative_to(root).as_posix()

    def absolute(self, relative: str) -> Path:
        """The file of a stored path; same refusals as `relative`."""
        windows = PureWindowsPath(relative)
        parts = PurePosixPath(relative.replace("\\", "/")).parts
        if not parts or windows.drive or windows.root or ".." in parts:
            raise InvalidSetting(f"{relative!r} is not a path inside the library")
        path = self.library.joinpath(*parts)
        self.relative(path)
        return path

    def sweep_parts(self) -> int:
        """Remove unfinished files of runs that are no more; returns how many."""
        swept = 0
        for part in [*self.library.rglob(".*.part")]:
            pid, run = _writer(part)
            ours = pid == os.getpid()
            if (ours and run == _RUN) or (not ours and _is_alive(pid)):
                continue
            with contextlib.suppress(OSError):
                if part.is_dir() and not part.is_symlink():
                    shutil.rmtree(part)
                else:
                    part.unlink()
                swept += 1
        return swept

    def free_bytes(self) -> int:
        """Free space where the library is (or will be)."""
        return free_bytes(self.library)


def free_bytes(folder: Path) -> int:
    """Free space of the file system that holds `folder`, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def part_beside(final: Path) -> Path:
    """`.<name>.<pid>-<run>-<random>.part` in the same folder, so that renaming is atomic."""
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.parent / f".{final.name[:120]}.{os.getpid()}-{_RUN}-{secrets.token_hex(3)}.part"


def settle(part: Path, final: Path, digest: str | None = None) -> tuple[Path, str]:
    """Sync a checked part and give it `final`'s name or the next free one; blocking.

    A file of the same content that is already there is used instead. `digest`: its SHA-256 where that is known.

    Returns:
        Where it is now, and its SHA-256 in hex.
    """
    with part.open("r+b") as file:
        digest = digest or hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    for place in _places(final):
        if _rename_to_free(part, place):
            _sync_folder(place.parent)
            return place, digest
        if _same(place, part, digest):
            part.unlink()
            return place, digest
    raise AssertionError("there is always a next name")


def _keep(part: Path, final: Path, kind: MediaKind) -> MediaFile:
    width = height = duration = None
    if kind is MediaKind.IMAGE:
        picture = check_picture(part)
        width, height = picture.width, picture.height
        if final.suffix.lower() not in picture.suffixes:
            final = final.with_suffix(picture.suffixes[0])
    elif kind is MediaKind.VIDEO:
        clip = read_clip(part)
        width, height, duration = clip.picture.width, clip.picture.height, clip.duration_ms
    else:
        raise MediaError(
            f"{final.name}: sound files are not kept in the library", hint="Give a picture or clip."
        )
    path, digest = settle(part, final)
    return MediaFile(
        path=path,
        media=kind,
        sha256=digest,
        bytes=path.stat().st_size,
        width=width,
        height=height,
        duration_ms=duration,
    )


def _check_own_picture(source: Path) -> None:
    try:
        check_picture(source)
    except MediaError as error:
        raise InvalidSetting(
            error.message, hint="Give a PNG, JPEG, WebP or GIF picture of at most 20 MB."
        ) from error


def _suffix(suffix: str) -> str:
    bare = suffix.lower().lstrip(".")
    if not bare.isascii() or not bare.isalnum() or len(bare) > 8:
        raise InvalidSetting(f"{suffix!r} is not a file suffix")
    return f".{bare}"


def _places(final: Path) -> Iterator[Path]:
    yield final
    number = 2
    while True:
        yield final.with_name(f"{final.stem} ({number}){final.suffix}")
        number += 1


def _rename_to_free(part: Path, place: Path) -> bool:
    """Rename without ever replacing a file; False if the name is taken."""
    if place.exists():
        return False
    if sys.platform != "win32":  # Windows refuses a rename onto a file by itself
        try:
            os.link(part, place)
        except FileExistsError:
            return False
        except OSError:
            pass  # no hard links here (FAT, some network drives): rename as below
        else:
            part.unlink()
            return True
    try:
        part.rename(place)
    except FileExistsError:
        return False
    return True


def _same(place: Path, part: Path, digest: str) -> bool:
    try:
        if place.stat().st_size != part.stat().st_size:
            return False
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False  # a folder, or gone again: another name will do


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _writer(part: Path) -> tuple[int, str]:
    """Process id and run of whoever wrote this part; (0, "") if the name is not ours."""
    pid, _, rest = part.name.removesuffix(".part").rpartition(".")[2].partition("-")
    return (int(pid), rest.partition("-")[0]) if pid.isdigit() else (0, "")


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    if sys.platform == "win32":
        import ctypes  # late: Windows only

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
