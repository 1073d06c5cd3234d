"""Output over HTTP: bytes, lines, rows, streams."""
