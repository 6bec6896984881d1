"""Flow's ids: the two client seeds of a call, the ids that follow from them, and the older long spelling. Pure.

Ids are free text (`_upsampled` suffixes, voice slugs): nothing here insists on a UUID (flow-wire §0.4).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from typing import NamedTuple

#: flow-wire §0.4, §8. For 720p, Omni's own, no suffix is told; it is taken to be the plain one [I].
_UPSCALED = {"720p": "_upsampled", "1080p": "_upsampled", "4K": "_4k_upsampled"}
_LONG_PREFIX = "CA"
_LABS = ".labs"
_OPERATION = "operation/"
_INLINE = "inline/"
_BATCHES = uuid.UUID("4a0e1c6e-5c0f-4a53-9a5b-6f1d1c2b7e10")
_LENGTH_DELIMITED = 2
_MEDIA_FIELD = 5


class Seeds(NamedTuple):
    """The client-chosen identity of one call (flow-wire §0.6). Its text form is the `client_ref`."""

    media: str
    workflow: str

    @classmethod
    def new(cls) -> Seeds:
        """Lower case: the rule hashes the text exactly as sent."""
        return cls(str(uuid.uuid4()), str(uuid.uuid4()))

    @classmethod
    def parse(cls, client_ref: str) -> Seeds:
        """Raises ValueError."""
        media, dot, workflow = client_ref.removesuffix(_LABS).partition(".")
        if not (media and dot and workflow):
            raise ValueError("a client_ref of Flow is '<media seed>.<workflow seed>'")
        return cls(media, workflow)

    @property
    def batch(self) -> str:
        """The batch id sent along with them. Flow lists it with the workflow, so the call can be found again."""
        return str(uuid.uuid5(_BATCHES, str(self)))

    def __str__(self) -> str:
        return f"{self.media}.{self.workflow}"


def for_labs(client_ref: str) -> bool:
    """Whether the call was meant for lane `labs`, whose pictures take no seeds: no id follows for them."""
    return client_ref.endswith(_LABS)


def client_ref(seeds: Seeds, lane: str | None) -> str:
    """The text form, with the lane where it matters."""
    return f"{seeds}{_LABS if lane == 'labs' else ''}"


class Handle(NamedTuple):
    """What a poll asks for: the media id, and in lane `labs` sometimes only the name of a running operation."""

    media: str
    operation: str | None = None

    @classmethod
    def parse(cls, remote_id: str) -> Handle:
        if remote_id.startswith(_OPERATION):
            name, _, media = remote_id.removeprefix(_OPERATION).partition("/")
            return cls(media_id(media), name)
        return cls(media_id(remote_id))

    def __str__(self) -> str:
        return f"{_OPERATION}{self.operation}/{self.media}" if self.operation else self.media


def lost_inline(source: str, resolution: str) -> str:
    """The remote id of a larger picture that Flow gave without an id: it exists only in the reply."""
    return f"{_INLINE}{media_id(source)}/{resolution}"


def is_inline(remote_id: str) -> bool:
    return remote_id.startswith(_INLINE)


def derived(seed: str) -> str:
    """The id Flow is reported to give to what this seed was sent with. Verify before relying (flow-wire §0.6)."""
    digits = list(hashlib.sha256(seed[:64].encode()).hexdigest()[:32])
    digits[12] = "4"
    digits[16] = f"{8 | int(digits[16], 16) & 3:x}"
    text = "".join(digits)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def upscaled(source: str, resolution: str) -> str:
    """The id of a clip's larger version: its own id plus a suffix (flow-wire §8)."""
    return media_id(source) + _UPSCALED[resolution]


def is_upscaled(remote_id: str) -> bool:
    return remote_id.endswith("_upsampled")


def media_id(remote_id: str) -> str:
    """The plain media id; the long `CAMS…` spelling is decoded on sight (flow-wire §0.5)."""
    if not remote_id.startswith(_LONG_PREFIX) or "-" in remote_id[:8]:
        return remote_id
    try:
        data = base64.urlsafe_b64decode(remote_id + "=" * (-len(remote_id) % 4))
        return _protobuf_text(data, _MEDIA_FIELD) or remote_id
    except (binascii.Error, IndexError, UnicodeDecodeError):
        return remote_id


def _protobuf_text(data: bytes, wanted: int) -> str | None:
    """One text field of a flat protobuf of varints and texts; IndexError if it is cut off."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == _LENGTH_DELIMITED:
            if at + value > len(data):
                raise IndexError(at)
            if tag >> 3 == wanted:
                return data[at : at + value].decode()
            at += value
        elif tag & 7 != 0:
            return None
    return None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
