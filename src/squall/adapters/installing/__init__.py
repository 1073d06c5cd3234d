"""Installation of packs: fetches packs, creates their virtualenvs, and switches versions."""
