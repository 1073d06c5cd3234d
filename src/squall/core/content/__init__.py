"""The content of packs: actions, metadata, configurations, keys."""
