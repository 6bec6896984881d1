"""The tools by topic; `ALL` in the order in which a production uses them."""

from __future__ import annotations

from flowkit_mcp.server.schemas import StrictTool
from flowkit_mcp.server.tools import (
    cast,
    cut,
    edit,
    flow,
    generate,
    jobs,
    money,
    projects,
    publish,
    review,
    scenes,
    system,
    view,
)

_ORDER: list[str] = list(
    "status create_project list_projects get_project update_project "
    "add_character update_character upload_image add_video update_video "
    "add_scene update_scene move_scene remove check_plan set_budget "
    "generate_image edit_image generate_video upscale "
    "wait list_jobs cancel_job resolve_job review select_take trim merge thumbnail upload flow_library".split()
)

_MODULES = (
    system,
    projects,
    view,
    cast,
    scenes,
    generate,
    jobs,
    edit,
    cut,
    review,
    publish,
    flow,
    money,
)

ALL: tuple[StrictTool, ...] = tuple(
    sorted(
        (made for module in _MODULES for made in module.TOOLS),
        key=lambda made: _ORDER.index(made.name),
    )
)
