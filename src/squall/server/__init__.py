"""The server as a process: its data directory, its logs, what survives it, its line readers."""
