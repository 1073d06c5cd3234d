"""Packs, actions and keys over HTTP."""
