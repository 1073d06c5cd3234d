"""The store: SQL once per noun, for SQLite and PostgreSQL; the engine below it is the only thing that differs."""
