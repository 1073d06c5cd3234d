"""Adapters for databases, files, processes and networks. Each folder is one adapter and imports no other."""
