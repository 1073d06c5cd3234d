"""JSON schemas: checks, one walk over a schema and a value, and what is secret."""
