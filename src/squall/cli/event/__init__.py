"""Commands for events: webhooks."""
