"""Measures Squall beside the smallest program that does the same on this machine: `python -m bench`."""
