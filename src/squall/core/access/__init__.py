"""The identities of requests, their permissions, and secret values."""
