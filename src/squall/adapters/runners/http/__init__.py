"""HTTP requests as actions."""
