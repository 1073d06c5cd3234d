"""What the server works on at each instant, in memory that outlives its process."""
