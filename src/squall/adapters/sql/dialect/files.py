"""The files beside a database."""

from __future__ import annotations

import ctypes

import apsw

_WAL_KEPT = 64 << 20


def keep_files(connection: apsw.Connection) -> None:
    """Keeps the files of the WAL when the last connection closes. A database whose WAL has no index cannot even be read
    when the disk has no room to make one.

    The last connection empties the WAL: who puts another database in this one's place finds nothing of this one in it.
    """
    on = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(on))
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}").fetchall()
