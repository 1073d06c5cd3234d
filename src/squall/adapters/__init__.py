"""Touches: databases, files, processes. Each folder is one adapter and imports no other."""
