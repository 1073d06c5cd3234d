"""Webhooks: their settings, the deliveries that they get, and what those lead to."""
