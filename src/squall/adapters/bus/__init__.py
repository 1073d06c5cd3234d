"""Carries hints: within one process, or nowhere at all."""
