"""What every command needs: verbs, the server it talks to, tables, screens, signals, exit statuses."""
