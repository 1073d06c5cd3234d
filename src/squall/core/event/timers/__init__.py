"""Timers: triggers that fire by a schedule, with what they have done and what they are to do next."""
