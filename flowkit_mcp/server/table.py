"""README's table of tools: `python -m flowkit_mcp.server.table`."""

from __future__ import annotations

from flowkit_mcp.server.tools import ALL


def table() -> str:
    """Markdown: name and first sentence of the description."""
    rows = [f"| `{tool.name}` | {_first(tool.description)} |" for tool in ALL]
    return "\n".join(["| tool | what it does |", "|---|---|", *rows])


def _first(text: str) -> str:
    return text.split(". ")[0].rstrip(".").replace("|", "\\|")


if __name__ == "__main__":
    print(table())
