"""The events of changes, and what reacts to events: triggers, rules, timers and webhooks."""
