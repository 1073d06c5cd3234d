"""The client of a Squall server: it uses the public HTTP API and imports nothing of the server."""
