"""How long and how large an expression may get."""
