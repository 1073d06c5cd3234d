"""Commands about packs, actions, runners and keys."""
