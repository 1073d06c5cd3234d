"""The parts that every command uses: verbs, the server it talks to, tables, screens, signals, exit statuses."""
