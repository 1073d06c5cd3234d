"""Stores of large objects: a local directory, and what speaks S3."""
