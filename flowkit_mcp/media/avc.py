"""The few bytes of H.264 that joining needs: parameter sets in an `avcC` box, and what a packet holds.

Source: ISO/IEC 14496-15 §5.3.3 (avcC) and ITU-T H.264 §7.3 (NAL unit, SPS and PPS headers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_IDR, _SPS, _PPS = 5, 7, 8


@dataclass(frozen=True)
class ParameterSets:
    """A parsed `avcC`; `tail` is what High profiles add after the picture sets."""

    profile: int
    compatibility: int
    level: int
    length_size: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    tail: bytes

    @classmethod
    def parse(cls, box: bytes) -> ParameterSets | None:
        """None if this is not an `avcC` (raw or damaged parameter sets)."""
        if len(box) < 7 or box[0] != 1:
            return None
        try:
            sps, at = _read_sets(box, 6, box[5] & 0x1F)
            pps, at = _read_sets(box, at + 1, box[at])
        except IndexError:
            return None
        if not sps or not pps:
            return None
        return cls(box[1], box[2], box[3], (box[4] & 3) + 1, sps, pps, box[at:])

    @property
    def ids(self) -> frozenset[int]:
        """Ids taken by any set, sequence and picture together."""
        return frozenset(
            {_sps_id(unit) for unit in self.sps} | {_golomb(unit, 8) for unit in self.pps}
        )

    def pack(self) -> bytes:
        head = bytes(
            (1, self.profile, self.compatibility, self.level, 0xFC | (self.length_size - 1))
        )
        return (
            head
            + bytes((0xE0 | len(self.sps),))
            + b"".join(len(unit).to_bytes(2, "big") + unit for unit in self.sps)
            + bytes((len(self.pps),))
            + b"".join(len(unit).to_bytes(2, "big") + unit for unit in self.pps)
            + self.tail
        )


def merged(boxes: Sequence[bytes]) -> bytes | None:
    """One `avcC` that holds the sets of all; None if two different sets share an id."""
    parsed: list[ParameterSets] = []
    for box in dict.fromkeys(boxes):
        sets = ParameterSets.parse(box)
        if sets is None or sets.length_size != 4:
            return None
        if any(sets.ids & other.ids for other in parsed):
            return None
        parsed.append(sets)
    first = parsed[0]
    if len(parsed) == 1:
        return boxes[0]
    return ParameterSets(
        profile=max(sets.profile for sets in parsed),
        compatibility=first.compatibility,
        level=max(sets.level for sets in parsed),
        length_size=4,
        sps=tuple(unit for sets in parsed for unit in sets.sps),
        pps=tuple(unit for sets in parsed for unit in sets.pps),
        tail=first.tail,
    ).pack()


def is_clean_start(packet: bytes, box: bytes) -> bool:
    """Whether decoding may begin at this packet with nothing but the sets in `box`."""
    sets = ParameterSets.parse(box)
    if sets is None or sets.length_size != 4:
        return False
    known = {*sets.sps, *sets.pps}
    units = list(_units(packet))
    return any(unit[0] & 0x1F == _IDR for unit in units) and all(
        unit in known for unit in units if unit[0] & 0x1F in (_SPS, _PPS)
    )


def _units(packet: bytes) -> Iterator[bytes]:
    at = 0
    while at + 4 < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        yield packet[at + 4 : at + 4 + size]
        at += 4 + size


def _read_sets(box: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    sets: list[bytes] = []
    for _ in range(count):
        size = int.from_bytes(box[at : at + 2], "big")
        unit = box[at + 2 : at + 2 + size]
        if size < 5 - 3 or len(unit) != size:
            raise IndexError("cut short")
        sets.append(unit)
        at += 2 + size
    return tuple(sets), at


def _sps_id(unit: bytes) -> int:
    return _golomb(unit, 32)  # after the NAL header, profile, constraints and level


def _golomb(unit: bytes, bit: int) -> int:
    """An unsigned Exp-Golomb number (H.264 §9.1) starting at `bit`."""
    bits = "".join(f"{byte:08b}" for byte in unit[bit // 8 : bit // 8 + 8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
