"""The program of the processes that count and search lines: `start` makes one, `main` is what runs in it."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.journal.lines.worker import Indexes, serve
from squall.adapters.journal.sources import Sources
from squall.adapters.sql.output.seals import SqliteSeals

_NICE = 5
_MOST_MEMORY = 4 << 30


def start(home: Path, blobs: BlobPlace, connection: socket.socket) -> subprocess.Popen[bytes]:
    """A process that answers over this end of a socket pair, for the data directory `home`, until it is closed."""
    number = connection.fileno()
    return subprocess.Popen(
        [sys.executable, "-m", "squall.server.linereader", str(home), str(number), *blobs.words],
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
        cwd="/",
    )


def main(home: Path, number: int, blobs: BlobPlace) -> None:
    """Answers over descriptor `number` until it is closed."""
    # A terminal's ^C is for the server, which ends this process when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    # Lines of any length are asked for by the thousand: then this process ends, and not the server's machine.
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    journals = home / "journals"
    with socket.socket(fileno=number) as connection:
        serve(connection, Indexes(journals, Sources(journals, SqliteSeals(home / "seals.db", read_only=True), blobs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), BlobPlace(*sys.argv[3:]))
