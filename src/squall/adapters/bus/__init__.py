"""Buses for hints: one delivers them within one process, one drops them all."""
