"""The server side of keepers: starts them, talks to them, takes over what dead ones left."""
