"""The store: one SQL module for each noun, for SQLite and PostgreSQL. Only the engine below the modules differs."""
