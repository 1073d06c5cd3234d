"""Use cases of executions: request, admit, claim, run, end, look up."""
