"""Webhooks: their URLs, the signatures of senders, delivery ids, and what a log of deliveries may show."""
