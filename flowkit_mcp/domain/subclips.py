"""The timing a video prompt may carry: "0-3s: she turns. 3-6s: rain begins." Pure."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

_HEAD = re.compile(
    r"(?<![\d.])(\d{1,3}(?:\.\d+)?)\s*s?\s*[-–—]\s*(\d{1,3}(?:\.\d+)?)\s*s(?:ec(?:onds?)?)?\s*[:：]",
    re.IGNORECASE,
)


class SubClip(BaseModel):
    """One beat of a clip: from `start_s` to `end_s` seconds, and what happens then."""

    model_config = ConfigDict(frozen=True)

    start_s: float
    end_s: float
    text: str


def subclips(prompt: str) -> tuple[SubClip, ...]:
    """The beats a prompt names, in the order in which it names them; empty if it names none."""
    heads = list(_HEAD.finditer(prompt))
    ends = [head.start() for head in heads[1:]] + [len(prompt)]
    return tuple(
        SubClip(start_s=float(head[1]), end_s=float(head[2]), text=prompt[head.end() : end].strip())
        for head, end in zip(heads, ends, strict=False)
    )
