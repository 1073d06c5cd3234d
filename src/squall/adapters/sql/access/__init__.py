"""Rows of tokens and API keys."""
