"""Build the bundle for Claude Desktop: `make mcpb` writes dist/flowkit-mcp-<version>.mcpb. Needs Node.js and npm.

What is in it: the manifest (packaging/mcpb.json with version and tools filled in), the source, and the two
folders that travel with it. The host fetches Python and the dependencies, by `uv`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from npm_packages import npm

from flowkit_mcp import __version__
from flowkit_mcp.server.tools import ALL

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "build" / "mcpb"
TOOL = "@anthropic-ai/mcpb@2.1.2"
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
FOLDERS = ("flowkit_mcp", "extension", "skills")


def manifest() -> dict[str, Any]:
    """packaging/mcpb.json, and what only the program knows."""
    given: dict[str, Any] = json.loads((ROOT / "packaging/mcpb.json").read_text(encoding="utf-8"))
    tools = [{"name": tool.name, "description": tool.title or tool.name} for tool in ALL]
    return given | {"version": __version__, "tools": tools}


def stage() -> Path:
    """Everything that goes into the bundle, in a folder of its own."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    for name in FILES:
        shutil.copy2(ROOT / name, STAGE / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, STAGE / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / ".claude-plugin/icon.png", STAGE / "icon.png")
    text = json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n"
    (STAGE / "manifest.json").write_text(text, encoding="utf-8")
    return STAGE


def bundle() -> Path:
    """Validated, packed, and where it lies."""
    folder, tool = stage(), npm("mcpb", TOOL) / ".bin" / "mcpb"  # the format's own
    subprocess.run([tool, "validate", folder / "manifest.json"], check=True, timeout=120)
    out = ROOT / "dist" / f"flowkit-mcp-{__version__}.mcpb"
    out.parent.mkdir(exist_ok=True)
    out.unlink(missing_ok=True)
    subprocess.run([tool, "pack", folder, out], check=True, timeout=300)
    return out


if __name__ == "__main__":
    sys.stderr.write(f"{bundle().relative_to(ROOT)}: written\n")
