"""Lines of journals: an index of each, what finds and searches them, and the processes that do so."""
