"""Rows of packs, actions and keys."""
