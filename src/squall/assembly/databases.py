"""Opens the databases of a data directory, and never makes a new one where one has been lost."""

from __future__ import annotations

from pathlib import Path

from squall import __version__
from squall.adapters.sql.output.seals import SqliteSeals
from squall.adapters.sql.sqlite import SqliteStore, Synchronous, expects_rows, open_store
from squall.server import datadir


def open_database(home: Path, rows: SqliteSeals, now: int, synchronous: Synchronous) -> SqliteStore:
    """Opens the database of the data directory, and checks that the file of sealed `rows` is there if it must be. `now`
    (µs) becomes part of the name of the copy that is made before a migration. Raises `ConfigError`."""
    path = home / "squall.db"
    before = f".before-{__version__}-{now}"
    store = open_store(path, backup_suffix=before, synchronous=synchronous, reserve=True, used=datadir.used(home))
    if expects_rows(path):
        rows.check()
    return store
