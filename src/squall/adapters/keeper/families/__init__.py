"""Processes with all their descendants: finding and killing them."""
