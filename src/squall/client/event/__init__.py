"""The calls about triggers, rules, timers and webhooks."""
