"""Trigger types, triggers, and the events that are dispatched to them."""
