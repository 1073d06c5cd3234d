"""The journals that a keeper writes."""
