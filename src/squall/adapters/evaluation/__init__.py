"""Processes that evaluate what people wrote: templates and the expressions of workflows."""
