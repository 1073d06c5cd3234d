"""Rows about journals and sealed journals."""
