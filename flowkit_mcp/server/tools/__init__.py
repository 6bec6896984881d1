"""The tools an agent calls, by topic."""
