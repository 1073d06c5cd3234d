"""The archive of finished journals: sealed, moved, opened again, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from squall.core.output.accounts import Account

ROW = "row"
FILE = "file"
BLOB = "blob"
LIVE = "live"


class Seal(msgspec.Struct, frozen=True):
    """A sealed journal: its place (`row`, `file` or `blob`), its size in bytes, the bytes `stored` for it, and the
    SHA-256 (hex) of its bytes."""

    place: str
    size: int
    stored: int
    digest: str


class SealRow(msgspec.Struct, frozen=True):
    """The row of a sealed journal. `body` is the whole journal (`row`), or its index and seek table (`blob`)."""

    tree: str
    seal: Seal
    at: int
    body: bytes


class SealRows(Protocol):
    """The table of the small sealed journals, and of those in the blob store. Any thread may use it."""

    def get(self, tree: str) -> SealRow | None:
        """Returns the row of a tree."""
        ...

    def places(self, trees: Sequence[str]) -> Mapping[str, str]:
        """Returns the places of the trees that have a row."""
        ...

    def put(self, rows: Sequence[SealRow]) -> None:
        """Adds or replaces rows. When this returns, they are durable. Raises `OSError`."""
        ...

    def delete(self, trees: Sequence[str]) -> None:
        """Removes rows; ignores missing ones. Raises `OSError`."""
        ...

    def trees(self, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """Returns the trees behind `after` and their places, ordered by id."""
        ...

    def close(self) -> None:
        """Closes the table."""
        ...


class Verdict(msgspec.Struct, frozen=True):
    """The result of a check of every byte of a journal. `faults` is empty if the journal is intact."""

    tree: str
    place: str
    size: int
    digest: str
    records: int
    faults: tuple[str, ...]


class Archive(Protocol):
    """Stores finished journals. A tree is either open for a keeper (`open`) or may be sealed, never both."""

    async def open(self, tree: str) -> None:
        """Opens the journal of a tree before a keeper writes to it. Puts a sealed journal back into its own file, at
        the same positions, and prevents sealing until `release`. If it raises `OSError`, nothing has changed."""
        ...

    def release(self, tree: str) -> None:
        """Allows sealing again: no keeper writes to the tree any more."""
        ...

    def held(self) -> Sequence[str]:
        """Returns the trees that are open for keepers."""
        ...

    async def candidates(self, idle: float) -> Sequence[str]:
        """Returns some trees with an unsealed journal that is not open for a keeper, and was not written for `idle`
        seconds."""
        ...

    async def seal(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Writes sealed journals beside the unsealed ones, which stay in use. Skips trees that are open for a keeper or
        have no journal. Returns the seals.

        If it raises `OSError`, nothing has changed."""
        ...

    async def settle(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes the unsealed journals of the trees that `seal` has sealed and that were not opened since. Returns
        these trees: no loss of power brings their unsealed journals back. Raises `OSError`."""
        ...

    async def move(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Moves sealed files to the blob store, after it has read their bytes back from there and compared them.

        Returns the seals of the moved journals, also of those moved before. If it raises `OSError`, the other journals
        are still at their old place."""
        ...

    async def remove(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes all data of these trees, except of those open for a keeper. Returns the removed trees.

        If it raises `OSError`, the caller must call it again."""
        ...

    async def verify(self, tree: str, accounts: Sequence[Account] = (), rate: float | None = None) -> Verdict | None:
        """Reads and checks every byte of a journal, and looks for the output that `accounts` name. Reads about `rate`
        bytes a second; None: as fast as possible. Returns None if there is no journal. Raises `UnavailableError` if it
        cannot be read."""
        ...

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """Returns the number of journals at each place, `live` included, and their bytes."""
        ...
