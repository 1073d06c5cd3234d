"""The differences between databases."""
