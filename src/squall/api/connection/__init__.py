"""Connections: who is admitted, what a request may cost before it is answered, and the server on its socket."""
