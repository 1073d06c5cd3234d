"""The HTTP API and its server-sent events: one file per noun."""
