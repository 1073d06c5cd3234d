"""Rules over time: what keeps a match back, lets it fire later, or waits for events that do or do not come."""
