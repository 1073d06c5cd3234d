"""Journals in files below one folder: reading, sealing, and moving them to the blob store."""
