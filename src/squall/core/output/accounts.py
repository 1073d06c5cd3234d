"""What the database knows of the output of ended executions, compared with what their journal holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from squall.core.output.journal import NO_STREAM, STREAMS

_STDOUT, _STDERR = 1, 2


class Account(NamedTuple):
    """What is known of one execution's output since its process ended: the bytes that were kept of each stream, and
    where its last record in the journal started (0: it had none)."""

    execution: str
    stdout: int
    stderr: int
    last_record: int

    def sizes(self) -> dict[int, int]:
        """Returns the bytes by number of the stream; streams without output are left out."""
        return {stream: size for stream, size in ((_STDOUT, self.stdout), (_STDERR, self.stderr)) if size}


class Loss(NamedTuple):
    """Bytes of output that the journal of a tree should hold and does not. With `NO_STREAM` they are bytes of the whole
    journal, whose streams nobody knows; then `missing` may be 0: not even the number is known."""

    execution: str
    stream: int
    missing: int

    def text(self) -> str:
        """Returns the sentence for people."""
        if self.stream == NO_STREAM:
            return f"the journal is missing or damaged as a whole: {self.missing} bytes"
        return f"{self.missing} bytes of {STREAMS[self.stream]} of {self.execution} are missing"


def losses(accounts: Iterable[Account], held: Mapping[tuple[str, int], int]) -> list[Loss]:
    """Returns what is missing of each stream, if the journal holds so many bytes by execution and stream."""
    return [
        Loss(account.execution, stream, size - held.get((account.execution, stream), 0))
        for account in accounts
        for stream, size in account.sizes().items()
        if held.get((account.execution, stream), 0) < size
    ]
