"""The built-in runners of actions."""
