"""Rules: what triggers and rules are, how a rule is read, and whether it matches an event."""
