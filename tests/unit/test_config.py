"""Settings: the environment wins over the file, and a wrong value names itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowkit_mcp.config import DEFAULT_PORT, Settings, simulator_asked
from flowkit_mcp.errors import InvalidSetting


def test_the_environment_wins_over_the_file_and_arguments_over_both(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        "port = 50001\nauto_approve_credits = 5\n", encoding="utf-8"
    )
    env = {"FLOWKIT_LIBRARY": str(tmp_path), "FLOWKIT_PORT": "50002"}
    assert Settings.load(env).port == 50002
    assert Settings.load(env).auto_approve_credits == 5
    assert Settings.load(env, port=50003).port == 50003
    assert Settings.load({"FLOWKIT_LIBRARY": str(tmp_path / "other")}).port == DEFAULT_PORT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "80"),
        ("port", "x"),
        ("auto_approve_credits", "-1"),
        ("simulator", "http://evil.example"),
        ("extension_id", "https://evil.example"),
    ],
)
def test_a_wrong_value_names_the_setting(tmp_path: Path, name: str, value: str) -> None:
    env = {"FLOWKIT_LIBRARY": str(tmp_path), f"FLOWKIT_{name.upper()}": value}
    with pytest.raises(InvalidSetting, match=name):
        Settings.load(env)


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("prot = 1\n", encoding="utf-8")
    with pytest.raises(InvalidSetting, match="prot"):
        Settings.load({"FLOWKIT_LIBRARY": str(tmp_path)})


def test_simulated_work_has_a_folder_of_its_own() -> None:
    real, simulated = Settings.load({}), Settings.load({}, simulator="http://127.0.0.1:47816")
    assert real.library != simulated.library and simulated.simulated and not real.simulated


@pytest.mark.parametrize(
    ("said", "asked"), [("true", True), ("1", True), ("false", False), ("", False)]
)
def test_a_plugin_passes_the_choice_of_the_simulator_on(said: str, asked: bool) -> None:
    assert simulator_asked({"FLOWKIT_SIMULATE": said}) is asked


def test_a_hosts_unfilled_placeholder_is_no_value() -> None:
    env = {"FLOWKIT_SIMULATE": "${user_config.simulate}", "FLOWKIT_PORT": "${user_config.port}"}
    assert not simulator_asked(env)
    assert Settings.load(env).port == DEFAULT_PORT
    with pytest.raises(InvalidSetting, match="FLOWKIT_SIMULATE"):
        simulator_asked({"FLOWKIT_SIMULATE": "maybe"})
