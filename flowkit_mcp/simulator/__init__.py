"""A local Flow: speaks the wire protocol, draws pictures and clips, keeps a ledger."""
