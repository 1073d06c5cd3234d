"""Speaks to a Squall server through its public HTTP API; imports nothing of the server."""
