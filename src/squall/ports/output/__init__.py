"""Journals, lines, archives and blobs, as Protocols."""
