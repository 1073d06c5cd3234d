"""Workflows played through with mocked results."""
