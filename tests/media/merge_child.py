"""A process that merges and is killed, or starved of disk, by the test that started it.

`python merge_child.py FILM SCRATCH STAGE BYTES CUT CLIP…`: STAGE is where it kills itself ("-" for nowhere),
BYTES how large any file may become (0 for any size), CUT is JSON.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from flowkit_mcp.domain.cut import Cut
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.media.binaries import find_ffmpeg
from flowkit_mcp.media.estimate import Stage
from flowkit_mcp.media.merge import merge


def main() -> None:
    film, scratch, stage, size, cut, *clips = sys.argv[1:]
    if int(size):
        # What a full disk is to a program: a write that is refused, here at a place that can be chosen.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))

    def reached(now: Stage) -> None:
        if now.name == stage:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        result = asyncio.run(
            merge(
                [Path(clip) for clip in clips],
                Path(film),
                ffmpeg=find_ffmpeg(),
                cut=Cut.model_validate_json(cut),
                scratch=Path(scratch) if scratch != "-" else None,
                stage=reached,
            )
        )
    except FlowKitError as error:
        print(f"refused: {error}")
    else:
        print(f"made: {result.frames}")


main()
