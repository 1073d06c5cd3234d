"""Rows of executions, their queue, policies, traces and retention."""
