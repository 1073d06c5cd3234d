"""Squall: event-driven automation you can watch."""

__version__ = "0.2.0"
