"""What models see of each tool, one file per tool in `schemas/`.

After a change that is meant, write them anew and look at the diff:

    python tests/server/tool_schemas.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcp.types import Tool

from flowkit_mcp.server.tools import ALL

FOLDER = Path(__file__).with_name("schemas")


def shown() -> dict[str, dict[str, Any]]:
    """Each tool as it is listed, by name."""
    return {
        tool.name: Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=tool.parameters,
            annotations=tool.annotations,
            _meta=tool.meta,
        ).model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in ALL
    }


def text_of(tool: dict[str, Any]) -> str:
    return json.dumps(tool, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name, tool in shown().items():
        (FOLDER / f"{name}.json").write_text(text_of(tool), encoding="utf-8")
