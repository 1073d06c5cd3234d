"""Workflows in the Orquesta language: read, inspected, and conducted by pure functions."""
