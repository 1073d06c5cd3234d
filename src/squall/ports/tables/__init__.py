"""The tables of the store, as Protocols, one for each noun."""
