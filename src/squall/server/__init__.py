"""The server as a process: its data directory, its logs, the survival of its actions, its line readers."""
