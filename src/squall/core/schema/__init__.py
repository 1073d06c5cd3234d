"""JSON schemas: validation, the walk over a schema and a value, and secret parts of values."""
