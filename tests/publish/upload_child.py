"""A process that uploads one film and may be killed at any moment; prints the video's id."""

from __future__ import annotations

import sys
from pathlib import Path

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.listing import Listing
from flowkit_mcp.publish.auth import SignIns
from flowkit_mcp.publish.keys import FileKeys
from flowkit_mcp.publish.upload import StandFile, Stop, Transfer


def main(folder: Path, root: str) -> None:
    signins = SignIns(folder / "keys", FileKeys(folder / "keys"), root)
    clock = Clock()
    if not signins.channels():
        signins.enter_stand_in(clock.now(), "stand-in")
    with signins.youtube(signins.channel(None), clock.now()) as youtube:
        transfer = Transfer(
            youtube,
            folder / "film.mp4",
            Listing(title="The lamp", made_for_kids=False),
            StandFile(folder / "stand.json"),
            clock=clock,
            stop=Stop(),
            note=lambda done, size: None,
            backoff_s=0.01,
            chunk=512 << 10,
        )
        print(transfer.run(), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
