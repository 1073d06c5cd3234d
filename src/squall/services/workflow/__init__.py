"""Use cases of workflows and chains."""
