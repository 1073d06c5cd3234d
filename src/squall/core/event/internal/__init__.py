"""The events inside of Squall: their types and payloads."""
