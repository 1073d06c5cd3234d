"""Speaks HTTP and server-sent events: one file per noun."""
