"""Rehearsals: workflows that run with mocked results."""
