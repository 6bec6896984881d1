"""What one look of `doctor` says."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

Verdict = Literal["ok", "warning", "broken"]


class Check(BaseModel):
    """One thing looked at. `next` says what to do; empty if nothing is to be done."""

    name: str
    verdict: Verdict
    found: str
    next: str = ""
