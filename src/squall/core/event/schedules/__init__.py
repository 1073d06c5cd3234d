"""Schedules of timers: what they are, when they fire, and which late fires still happen."""
