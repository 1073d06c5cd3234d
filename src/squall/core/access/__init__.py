"""Who asks, what they may, and what is secret."""
