"""How long text takes to say: an estimate for plans, not for captions. Pure."""

from __future__ import annotations

import re

#: Comfortable pace of a narrator, words a second. Above `HURRIED` nobody follows.
COMFORTABLE = 2.5
HURRIED = 3.3

_QUOTED = re.compile('“([^”]+)”|"([^"]+)"|«([^»]+)»|„([^“”]+)[“”]|「([^」]+)」|『([^』]+)』')
#: Scripts written without spaces, and how many of their characters make up about one word's time.
_UNSPACED = (
    (re.compile("[\u3040-\u30ff\u4e00-\u9fff\u3400-\u4dbf]"), 2.0),  # Chinese, Japanese
    (re.compile("[\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f]"), 4.5),  # Thai, Lao …
)


def spoken(prompt: str) -> str:
    """The words somebody says in a prompt: what stands in quotation marks."""
    return " ".join(next(filter(None, found)) for found in _QUOTED.findall(prompt))


def words(text: str) -> float:
    """How many words' time a text takes; scripts without spaces are counted by their characters."""
    count = 0.0
    for script, per_word in _UNSPACED:
        text, characters = script.subn(" ", text)
        count += characters / per_word
    return count + len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text))


def seconds(text: str, pace: float = COMFORTABLE) -> float:
    """How long a text takes to say at `pace` words a second."""
    return words(text) / pace
