"""Lines of journals: an index of each journal, lookup and search, and the processes that run them."""
