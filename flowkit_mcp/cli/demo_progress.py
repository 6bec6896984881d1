"""What, how far, how long still: a bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

QUIET_S = 5.0

#: Called with the share of everything that is done, and what is going on.
Show = Callable[[float, str], None]


class Journey:
    """Stages with the seconds they usually take; learns from the first ones how fast this machine is."""

    def __init__(
        self, stages: Mapping[str, float], show: Show, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stages = dict(stages)
        self._names = list(stages)
        self._show = show
        self._clock = clock
        self._begun = clock()
        self._weight_begun = 0.0
        self._now = 0

    def enter(self, stage: str) -> None:
        """Begin a stage. Going back to an earlier one starts the estimate anew."""
        number = self._names.index(stage)
        if number < self._now:
            self._begun = self._clock()
            self._weight_begun = self._before(number)
        self._now = number
        self.at(0, 0)

    def skip(self, stage: str) -> None:
        """It was done in an earlier run: it says nothing about speed."""
        self._weight_begun += self._stages[stage]
        self._now = self._names.index(stage)

    def aside(self, what: str, done: float, total: int) -> None:
        """Something that belongs to no stage and moves no estimate."""
        share = self._before(self._now) / sum(self._stages.values())
        self._show(share, f"{what}: {math.floor(done)} of {total}, then on")

    def at(self, done: float, total: int) -> None:
        """How far the stage is, of `total` things."""
        name = self._names[self._now]
        share = done / total if total else 0.0
        weight = self._before(self._now) + share * self._stages[name]
        count = f": {math.floor(done)} of {total}" if total else ""
        left = self._left(weight)
        self._show(
            weight / sum(self._stages.values()),
            f"[{self._now + 1}/{len(self._names)}] {name}{count}, about {left} s left",
        )

    def _before(self, number: int) -> float:
        return sum(self._stages[name] for name in self._names[:number])

    def _left(self, weight: float) -> int:
        done = weight - self._weight_begun
        # Until a tenth is done, the usual time is a better guess than a young measurement.
        pace = 1.0
        if done > 0.1 * sum(self._stages.values()):
            pace = min(5.0, max(0.2, (self._clock() - self._begun) / done))
        return max(1, round(pace * (sum(self._stages.values()) - weight)))


class Stage:
    """Where lines and progress go; made by `stage`."""

    def __init__(self, say: Callable[[str], None], show: Show) -> None:
        self.say = say
        self.show = show


@contextmanager
def stage(to: TextIO) -> Generator[Stage]:
    """A bar with lines above it if `to` is a terminal, else lines with the seconds so far."""
    if to.isatty():
        with _bar(Console(file=to)) as bar:
            yield bar
    else:
        yield _lines(to)


@contextmanager
def _bar(console: Console) -> Generator[Stage]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)

        def show(share: float, text: str) -> None:
            progress.update(task, completed=share, description=text.replace("[", r"\["))

        yield Stage(lambda line: progress.console.print(Text(line)), show)


def _lines(to: TextIO) -> Stage:
    begun = time.monotonic()
    last = ("", -QUIET_S)

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:5.1f} s  {line}", file=to, flush=True)

    def show(_share: float, text: str) -> None:
        nonlocal last
        what = text.rsplit(",", 1)[0]  # without the seconds left
        now = time.monotonic()
        if what != last[0] or now - last[1] >= QUIET_S:
            last = (what, now)
            say(text)

    return Stage(say, show)
