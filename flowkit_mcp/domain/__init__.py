"""The words and rules of FlowKit: pure, no I/O, no clock, no randomness."""
