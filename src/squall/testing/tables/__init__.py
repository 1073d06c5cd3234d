"""The contract suite of stores, one part per table."""
