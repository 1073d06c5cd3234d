"""Commands for events: rules, held matches, silences."""
