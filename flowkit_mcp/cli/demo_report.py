"""What the demo has to show at its end."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from pydantic import BaseModel

from flowkit_mcp.cli import demo_story as story
from flowkit_mcp.cli.demo_film import Made, slot
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.media.sheet import SheetItem, contact_sheet


class FilmFile(BaseModel):
    orientation: str
    path: str
    duration_s: float | None
    size: str | None


class Credits(BaseModel):
    """Simulated credits of everything made in this folder: by FlowKit's book and by the simulator's."""

    program: int
    ledger: int
    this_run: int
    balance: int

    @property
    def agree(self) -> bool:
        return self.program == self.ledger


class Report(BaseModel):
    """The result of `flowkit-mcp demo --json`. Paths are absolute, times are seconds."""

    ok: bool
    project: str
    video: str
    films: list[FilmFile]
    upscale: str
    contact_sheet: str
    watch: str  #: the wide film on the local YouTube, while a simulator runs
    uploaded: str  #: its file there
    credits: Credits
    seconds: float
    server_restarts: int
    library: str
    next: list[str]


async def storyboard(made: Made, to: Path) -> Path:
    """The contact sheet: the picture in use of every scene, both orientations."""
    items: list[SheetItem] = []
    for scene in made.scenes:
        for name in reversed(story.ORIENTATIONS):
            image = slot(scene, name, "image")
            note = f"continues scene {scene['continues']}" if "continues" in scene else ""
            if image.take > 1:
                note = "edited"
            caption = f"take {image.take}" + (f", {note}" if note else "")
            number = scene["scene"]
            items.append(SheetItem(image.path, f"Scene {number}", caption, Orientation(name)))
    title = f"{made.video} · SIMULATED"
    return await contact_sheet(items, to, title=title)


def films(made: Made) -> list[FilmFile]:
    """The newest film of each orientation, wide first."""
    by_name = {film["orientation"]: film for film in made.films}
    return [
        FilmFile(
            orientation=name,
            path=by_name[name]["path"],
            duration_s=by_name[name].get("duration_s"),
            size=by_name[name].get("size"),
        )
        for name in story.ORIENTATIONS
    ]


def next_steps(library: Path) -> list[str]:
    """What a newcomer does now."""
    program = "flowkit-mcp"
    if shutil.which(program) is None:  # as after `make demo`
        program = shutil.which(program, path=str(Path(sys.executable).parent)) or program
    simulated = shlex.join([program, "serve", "--simulate", "--library", str(library)])
    program = shlex.quote(program)
    return [
        f"Try it with Claude Code, still without an account: claude mcp add flowkit-try -- {simulated}",
        f"With your own Google Flow plan: claude mcp add flowkit -- {program} serve",
        f"Then connect Chrome: {program} pair",
        f"If something does not work: {program} doctor",
    ]


def as_text(report: Report) -> str:
    """For people."""
    lines = [f"{report.project}: {report.video}", ""]
    for film in report.films:
        length = "" if film.duration_s is None else f"{film.duration_s:.1f} s"
        lines.append(f"  {film.orientation.lower():<11} {length:>8}  {film.path}")
    lines.append(f"  {'in 1080p':<11} {'scene 1':>8}  {report.upscale}")
    lines.append(f"  {'storyboard':<11} {'':>8}  {report.contact_sheet}")
    lines.append(f"  {'uploaded':<11} {'':>8}  {report.watch} (a local YouTube)")
    lines.append(f"  {'its copy':<11} {'':>8}  {report.uploaded}")
    credits = report.credits
    verdict = "they agree" if credits.agree else "THEY DO NOT AGREE"
    lines += [
        "",
        f"Simulated credits: {credits.this_run} in this run. In all {credits.program} by FlowKit's book, "
        f"{credits.ledger} by the simulator's ledger: {verdict}.",
        f"Took {report.seconds:.0f} s. Nothing real was spent; the pictures say SIMULATED.",
        "",
        "Next:",
        *(f"  - {step}" for step in report.next),
    ]
    return "\n".join(lines)
