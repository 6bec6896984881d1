"""FlowKit: tell an agent a story, get a film you can publish.

`from flowkit_mcp import FlowKit, Project` is the SDK; the names load when they are first used, so that
`flowkit_mcp.__version__` and the command line start fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from flowkit_mcp import errors
    from flowkit_mcp.app import FlowKit
    from flowkit_mcp.config import Settings
    from flowkit_mcp.domain.models import EntityType, Orientation, Stage
    from flowkit_mcp.sdk.character import Character
    from flowkit_mcp.sdk.flow_library import FlowItem, FlowLibrary, FlowMedia, FlowProject
    from flowkit_mcp.sdk.jobs import GenerationResult, Job, Planned
    from flowkit_mcp.sdk.project import Project, SceneDraft, Video
    from flowkit_mcp.sdk.publish_plan import Wishes
    from flowkit_mcp.sdk.scene import Scene
    from flowkit_mcp.sdk.values import MediaAsset, OrientationSlot

_HOME = {
    "FlowKit": "app",
    "Settings": "config",
    "EntityType": "domain.models",
    "Orientation": "domain.models",
    "Stage": "domain.models",
    "Character": "sdk.character",
    "FlowItem": "sdk.flow_library",
    "FlowLibrary": "sdk.flow_library",
    "FlowMedia": "sdk.flow_library",
    "FlowProject": "sdk.flow_library",
    "GenerationResult": "sdk.jobs",
    "Job": "sdk.jobs",
    "Planned": "sdk.jobs",
    "Project": "sdk.project",
    "SceneDraft": "sdk.project",
    "Video": "sdk.project",
    "MediaAsset": "sdk.values",
    "OrientationSlot": "sdk.values",
    "Scene": "sdk.scene",
    "Wishes": "sdk.publish_plan",
}

__all__ = [
    "Character",
    "EntityType",
    "FlowItem",
    "FlowKit",
    "FlowLibrary",
    "FlowMedia",
    "FlowProject",
    "GenerationResult",
    "Job",
    "MediaAsset",
    "Orientation",
    "OrientationSlot",
    "Planned",
    "Project",
    "Scene",
    "SceneDraft",
    "Settings",
    "Stage",
    "Video",
    "Wishes",
    "__version__",
    "errors",
]


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("flowkit_mcp.errors")
    if name in _HOME:
        return getattr(importlib.import_module(f"flowkit_mcp.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
