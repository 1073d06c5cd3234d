"""Commands that need no server: pack authoring, backups, users, the demo."""
