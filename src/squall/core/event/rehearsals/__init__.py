"""Test cases of rules, run without a server."""
