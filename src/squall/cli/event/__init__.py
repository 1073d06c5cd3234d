"""Commands about events: triggers, rules, held matches, silences, webhooks and timers."""
