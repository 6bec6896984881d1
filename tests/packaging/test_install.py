"""What people install FlowKit by: each form is of this version, starts this program, and is valid by its checker."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import mcpb
import pytest
from hatchling.builders.sdist import SdistBuilder
from PIL import Image
from typer.testing import CliRunner

from flowkit_mcp import __version__
from flowkit_mcp.cli.main import app
from flowkit_mcp.config import Settings
from flowkit_mcp.server.tools import ALL

ROOT = Path(__file__).parents[2]
SETTINGS = {f"FLOWKIT_{name.upper()}" for name in Settings.model_fields} | {"FLOWKIT_SIMULATE"}


def read(name: str) -> dict[str, Any]:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def serves(arguments: list[str]) -> bool:
    """Whether these end in a command line that our program takes."""
    ours = arguments[arguments.index("flowkit-mcp") + 1 :]
    return CliRunner().invoke(app, [*ours, "--help"]).exit_code == 0 and ours[0] == "serve"


# ---- the registry's server.json ------------------------------------------------------------------


def test_the_registrys_schema_takes_server_json() -> None:
    schema = json.loads(Path(__file__).with_name("server.schema.json").read_text(encoding="utf-8"))
    told = read("server.json")
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(told, schema)
    assert told["$schema"] == schema["$id"]
    with pytest.raises(jsonschema.ValidationError):  # the schema does look
        jsonschema.validate(told | {"description": "x" * 101}, schema)


def test_server_json_is_of_this_version_and_names_settings_that_exist() -> None:
    told = read("server.json")
    (package,) = told["packages"]
    assert told["version"] == package["version"] == __version__
    assert serves(["flowkit-mcp", *(one["value"] for one in package["packageArguments"])])
    assert {one["name"] for one in package["environmentVariables"]} <= SETTINGS
    # how the registry finds out that the package is ours
    assert f"mcp-name: {told['name']}" in (ROOT / "README.md").read_text(encoding="utf-8")


# ---- the plugin for Claude Code ------------------------------------------------------------------


def test_the_plugin_starts_this_program_and_brings_the_skills() -> None:
    plugin, market = read(".claude-plugin/plugin.json"), read(".claude-plugin/marketplace.json")
    assert plugin["version"] == __version__
    server = plugin["mcpServers"]["flowkit"]
    assert "${CLAUDE_PLUGIN_ROOT}" in server["args"] and serves(server["args"])
    assert set(server["env"]) <= SETTINGS
    wanted = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(server)))
    assert wanted == set(plugin["userConfig"])
    (listed,) = market["plugins"]
    assert (ROOT / listed["source"] / ".claude-plugin/plugin.json").is_file()
    assert listed["name"] == plugin["name"]
    # the plugin's root is the tree's: its skills are these very files, no copy
    assert (
        sorted(path.parent.name for path in ROOT.glob("skills/*/SKILL.md"))[0] == "flowkit-doctor"
    )


def test_the_plugins_icon_is_what_catalogues_take() -> None:
    path = ROOT / ".claude-plugin/icon.png"
    with Image.open(path) as icon:
        assert icon.format == "PNG" and icon.width == icon.height >= 512
    assert path.stat().st_size < 2_000_000


# ---- the bundle for Claude Desktop ---------------------------------------------------------------


def test_the_bundles_manifest_tells_what_the_server_offers() -> None:
    told = mcpb.manifest()
    assert told["version"] == __version__
    assert {one["name"] for one in told["tools"]} == {tool.name for tool in ALL}
    config = told["server"]["mcp_config"]
    assert serves(config["args"]) and set(config["env"]) <= SETTINGS
    wanted = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(config)))
    assert wanted == set(told["user_config"])
    assert (ROOT / told["server"]["entry_point"]).is_file()


@pytest.mark.node
@pytest.mark.timeout(400)  # npm may have to fetch the packer first
def test_the_formats_own_tool_validates_and_packs_the_bundle() -> None:
    with zipfile.ZipFile(mcpb.bundle()) as packed:
        held = set(packed.namelist())
        skills = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("skills/**/*.md")}
        assert skills and skills <= held
        for name in skills:
            assert packed.read(name) == (ROOT / name).read_bytes(), name
    assert {"manifest.json", "pyproject.toml", "icon.png", "extension/manifest.json"} <= held
    assert not [name for name in held if name.endswith(".pyc") or ".venv" in name]


# ---- the source package --------------------------------------------------------------------------


def test_the_source_package_can_build_the_wheel(tmp_path: Path) -> None:
    made = next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with tarfile.open(made) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "flowkit_mcp/py.typed"}
    needed |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("skills/*/SKILL.md")}
    assert needed | {"extension/manifest.json"} <= held
    assert not [name for name in held if ".venv" in name or name.startswith("build/")]


# ---- what the README says ------------------------------------------------------------------------


def test_the_blocks_to_copy_are_json_and_start_this_program() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) >= 2
    for block in blocks:
        (servers,) = block.values()
        for server in servers.values():
            assert serves([server["command"], *server["args"]])
