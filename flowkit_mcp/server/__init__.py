"""FlowKit as an MCP server on stdio."""
