"""Expressions in parameters: the one door to template languages."""
