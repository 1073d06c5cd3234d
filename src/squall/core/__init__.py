"""The decisions: pure functions and records. No I/O, no async, no clock, no randomness."""
