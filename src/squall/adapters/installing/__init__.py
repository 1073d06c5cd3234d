"""Fetches packs, makes their virtualenvs and switches versions."""
