"""Expressions: the only use of the template languages, Jinja and YAQL, bounded in time and size."""
