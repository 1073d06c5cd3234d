"""Dispatches events inside of Squall, such as the end of an execution or a new value of a key."""
