"""Who makes media. `base.py` says what a provider must do; `flow/` drives the user's own Flow session."""
