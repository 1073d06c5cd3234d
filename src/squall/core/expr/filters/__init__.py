"""StackStorm's filters and functions for expressions."""
