"""The bounds of time and size of an expression."""
