"""Commands about triggers and rules."""
