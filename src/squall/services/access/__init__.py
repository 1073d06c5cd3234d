"""The use cases of users, tokens and API keys."""
