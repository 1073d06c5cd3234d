"""The forms in which output is sent: pure functions from records, lines and events to bytes."""
