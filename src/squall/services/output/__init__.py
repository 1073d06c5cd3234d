"""Use cases of output: read, follow, seal, verify, purge."""
