"""Use cases of packs, actions, configurations and keys."""
