"""FlowKit for Python programs: projects, videos, scenes, characters, jobs."""
