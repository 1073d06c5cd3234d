"""Commands that show output."""
