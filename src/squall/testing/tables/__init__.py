"""The contract suite of stores, one part for each table."""
