"""Timers: they fire at their times, whatever dies meanwhile."""
