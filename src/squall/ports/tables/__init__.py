"""The tables of the store: one Protocol for each noun."""
