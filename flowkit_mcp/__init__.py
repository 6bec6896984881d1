"""FlowKit: tell an agent a story, get a film you can publish."""

__version__ = "0.1.0"
