"""Log-in, tokens and API keys over HTTP."""
