"""Executions, inquiries, policies and traces over HTTP."""
