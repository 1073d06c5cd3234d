"""Starts and runs the processes that count and search lines: `start` creates one, `main` runs in it."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.journal.lines.worker import Indexes, serve
from squall.adapters.journal.sources import Sources
from squall.adapters.sql.output.seals import SqliteSeals

_NICE = 5
_MOST_MEMORY = 4 << 30


def start(
    home: Path, blobs: BlobPlace, environment: Mapping[str, str], connection: socket.socket
) -> subprocess.Popen[bytes]:
    """Starts a process that answers over `connection`, one end of a socket pair, until it is closed.

    It reads the data directory `home` and has the variables `environment`.
    """
    number = connection.fileno()
    return subprocess.Popen(
        [sys.executable, "-m", "squall.server.linereader", str(home), str(number), *blobs.words],
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=dict(environment),
    )


def main(home: Path, number: int, blobs: BlobPlace) -> None:
    """Answers over descriptor `number` until it is closed."""
    # Ctrl-C in a terminal must stop only the server, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    # A request may read thousands of long lines. The limit ends this process before the machine runs out of memory.
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    journals = home / "journals"
    with socket.socket(fileno=number) as connection:
        serve(connection, Indexes(journals, Sources(journals, SqliteSeals(home / "seals.db", read_only=True), blobs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), BlobPlace(*sys.argv[3:]))
