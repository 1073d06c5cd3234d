"""Squall: event-driven automation you can watch."""

__version__ = "0.3.0.dev0"
