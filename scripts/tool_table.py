"""Write the generated table of tools into README.md: `make tool-table`. A test checks that it is up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from flowkit_mcp.server.table import table

README = Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(<!-- tools: [^>]*-->\n).*?(<!-- /tools -->)", re.DOTALL)


def with_table(text: str) -> str:
    """README's text with the table of the tools as they are now."""
    new, count = PLACE.subn(lambda place: f"{place[1]}{table().strip()}\n{place[2]}", text)
    if count != 1:
        raise SystemExit("README.md has no place for the tool table")
    return new


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stderr.write("README.md: table written\n")
