"""Users, tokens, API keys."""
