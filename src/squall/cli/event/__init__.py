"""Commands about events: timers."""
