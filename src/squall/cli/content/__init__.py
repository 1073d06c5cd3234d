"""Commands for packs, actions, runners and keys."""
