"""Programs that run beside the servers, each in a process of its own, so that they share no interpreter with them."""
