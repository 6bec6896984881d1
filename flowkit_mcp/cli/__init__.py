"""The command line: flowkit-mcp and its subcommands."""
