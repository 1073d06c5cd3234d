"""Rows of workflows."""
