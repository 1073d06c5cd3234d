"""Commands for the log-in."""
