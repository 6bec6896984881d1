"""The library on disk: the only package that knows SQL."""
