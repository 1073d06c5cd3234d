"""The events that a change tells of."""
