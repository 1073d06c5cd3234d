"""Expressions: the one door to template languages, Jinja and YAQL, bounded in time and size."""
