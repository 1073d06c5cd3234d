"""Rules: kept, evaluated for events, and enforced."""
