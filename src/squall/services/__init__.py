"""Does: use cases over the ports. No SQL, no HTTP, no processes."""
