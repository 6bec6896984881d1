"""To YouTube: sign-in, preflight, a transfer that survives anything, and the steps after it."""
