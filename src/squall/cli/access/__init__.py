"""Commands about log-in."""
