"""The use cases of the event stream, and of triggers, rules, timers and webhooks."""
