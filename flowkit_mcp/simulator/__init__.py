"""A local Flow: speaks the wire protocol, draws pictures and clips, keeps a ledger.

Written from `flow-wire.md` alone, by a different hand than `providers/flow`: it shares nothing with it.
"""

from flowkit_mcp.simulator.server import Simulator
from flowkit_mcp.simulator.state import LedgerEntry

__all__ = ["LedgerEntry", "Simulator"]
