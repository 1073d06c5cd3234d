"""Stores of large objects: a local directory, or a bucket of a server with the S3 protocol."""
