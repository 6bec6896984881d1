"""The queue at work: who leads, what runs, the paid path, recovery."""
