"""Assembles a server: creates the adapters and services and connects them."""
