"""Puts a server together: which adapters there are, and how they are connected."""
