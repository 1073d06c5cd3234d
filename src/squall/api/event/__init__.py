"""Streams of events, and triggers, rules, timers and webhooks over HTTP."""
