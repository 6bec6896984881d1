"""Files, probing, cutting: everything about media that needs no provider."""
