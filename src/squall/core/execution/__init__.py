"""What an execution is, and the decisions about it: statuses, parameters, policies, retention."""
