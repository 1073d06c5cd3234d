"""Services of tests."""
