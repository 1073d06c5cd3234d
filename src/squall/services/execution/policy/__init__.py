"""Policies of executions: which run now, which wait, which run again."""
