"""What the crash tests of one run did, for the line at its end; with several workers, of all of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counted by worlds that run side by side, in threads."""

    kills: int = 0
    faults: int = 0
    jobs: int = 0
    double: int = 0
    lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                setattr(self, name, getattr(self, name) + number)

    def counts(self) -> dict[str, int]:
        """As numbers that one process can tell another."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.faults} faults, {self.jobs} jobs: "
            f"{self.double} double charges, {self.lost} lost results"
        )


#: Of this run of pytest.
TALLY = Tally()
