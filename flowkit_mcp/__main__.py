"""`python -m flowkit_mcp`: the same as `flowkit-mcp`."""

from flowkit_mcp.cli.main import main

if __name__ == "__main__":
    main()
