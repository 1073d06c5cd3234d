"""Packs in folders, in StackStorm's layout, and their configuration files."""
