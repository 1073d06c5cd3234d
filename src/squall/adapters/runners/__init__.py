"""The built-in ways of running actions."""
