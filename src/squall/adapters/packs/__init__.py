"""Packs in folders, in StackStorm's layout, and what they are configured with."""
