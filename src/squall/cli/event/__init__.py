"""Commands about triggers, rules, held matches and silences."""
