"""The server side of keepers: starts keepers, sends them requests, and takes over the executions of dead keepers."""
