"""Executions and the decisions about them: statuses, parameters, policies, retention."""
