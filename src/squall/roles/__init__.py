"""The roles: loops that wake on a hint or a poll and call a service."""
