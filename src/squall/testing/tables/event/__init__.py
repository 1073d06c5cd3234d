"""Contracts of the tables of events."""
