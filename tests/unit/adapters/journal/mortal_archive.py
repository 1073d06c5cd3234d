"""The whole life of a journal in a process that kills itself at a moment: `home`, the moment's number, bytes of output.

Prints the moment's name before it dies, and nothing when there is no such moment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.doubles.journals import Kept

from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.output import journal as codec
from squall.testing.samples import NOON
from squall.testing.sealed import Moments

TREE, CHILD = "65a0c0ffee00000000000001", "65a0c0ffee00000000000002"


def write(root: Path, size: int, event: int) -> None:
    """Writes (more of) a journal of two executions."""
    journals = Journals(root, bytes(16), 1, floor=0)
    writer = journals.writer(TREE, create=True)
    assert writer is not None
    piece = os.urandom(500) * 2
    for number in range(max(1, size // 1000)):
        writer.output(TREE if number % 3 else CHILD, 1, NOON + number, piece)
    writer.note(codec.STATUS, TREE, NOON, event, b'{"status":"succeeded"}')
    journals.close(TREE, NOON)


async def live(kept: Kept, size: int) -> None:
    """Sealed, settled, moved, opened, written to, sealed, settled, removed."""
    archive = kept.archive
    await archive.seal([TREE])
    await archive.settle([TREE])
    await archive.move([TREE])
    await archive.open(TREE)
    write(kept.root, size, 2)
    archive.release(TREE)
    await archive.seal([TREE])
    await archive.settle([TREE])
    await archive.move([TREE])
    await archive.remove([TREE])


def main(home: Path, kill: int, size: int) -> None:
    """Lives until the moment."""

    def act(name: str) -> None:
        if len(moments.seen) == kill + 1:
            os.write(1, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    moments = Moments(act)
    kept = Kept(home, moments)
    write(kept.root, size, 1)
    (home / "written").write_bytes((kept.root / codec.file_name(TREE)).read_bytes())
    asyncio.run(live(kept, size))
    kept.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
