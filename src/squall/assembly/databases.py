"""Opens the databases of a data directory, and never makes a new one where one has been lost."""

from __future__ import annotations

from pathlib import Path

from squall import __version__
from squall.adapters.sql.output.seals import SqliteSeals
from squall.adapters.sql.sqlite import SqliteStore, expects_rows, open_store
from squall.server import datadir


def open_database(home: Path, rows: SqliteSeals, now: int) -> SqliteStore:
    """Opens the database of the data directory, and checks that the file of sealed `rows` is there if it must be. `now`
    (µs) becomes part of the name of the copy that is made before a migration. Raises `ConfigError`."""
    path = home / "squall.db"
    store = open_store(path, backup_suffix=f".before-{__version__}-{now}", used=datadir.used(home))
    if expects_rows(path):
        rows.check()
    return store
