"""The long spelling of media ids, `CAMS…`: base64url of a small protobuf (flow-wire §0.5)."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

KINDS = {"image": 3, "video": 5}
STEP = "CAE"


def encode(kind: Literal["image", "video"], project: str, workflow: str, media: str) -> str:
    """Field 1 kind, 2 project, 3 workflow, 4 step id, 5 media id; no padding."""
    data = bytes([0x08, KINDS[kind]])
    for number, text in ((2, project), (3, workflow), (4, STEP), (5, media)):
        raw = text.encode("ascii")
        data += bytes([number << 3 | 2, len(raw)]) + raw
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> str | None:
    """The media id (field 5) in a long id, or None where it is none."""
    if not text.startswith("CA"):
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        at = 0
        while at < len(data):
            number, kind = data[at] >> 3, data[at] & 7
            at += 1
            if kind == 0:
                at += 1
                continue
            size = data[at]
            if kind != 2 or size > 127:
                return None
            if number == 5:
                return data[at + 1 : at + 1 + size].decode("ascii")
            at += 1 + size
    except (binascii.Error, ValueError, IndexError):
        return None
    return None
