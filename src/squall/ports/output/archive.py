"""Finished journals: sealed, moved, opened again, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

ROW = "row"
FILE = "file"
BLOB = "blob"
LIVE = "live"


class Seal(msgspec.Struct, frozen=True):
    """A sealed journal: where it is (`row`, `file` or `blob`), bytes of the journal and of what is stored, and the
    SHA-256 (hex) of the journal's bytes."""

    place: str
    size: int
    stored: int
    digest: str


class SealRow(msgspec.Struct, frozen=True):
    """A row about a sealed journal. `body` is all of it (`row`), or its index and seek table (`blob`)."""

    tree: str
    seal: Seal
    at: int
    body: bytes


class SealRows(Protocol):
    """The small sealed journals, and where the others are that are no files. For any thread."""

    def get(self, tree: str) -> SealRow | None:
        """One by its tree."""
        ...

    def places(self, trees: Sequence[str]) -> Mapping[str, str]:
        """The places of those of these trees that have a row."""
        ...

    def put(self, rows: Sequence[SealRow]) -> None:
        """Adds or replaces rows; they are durable when this returns. Raises `OSError`."""
        ...

    def delete(self, trees: Sequence[str]) -> None:
        """Removes rows; those that are not there are no error. Raises `OSError`."""
        ...

    def trees(self, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """Trees and their place behind `after` in the order of their ids."""
        ...

    def close(self) -> None:
        """Ends."""
        ...


class Verdict(msgspec.Struct, frozen=True):
    """What looking at every byte of a journal has shown. `faults` is empty when all is well."""

    tree: str
    place: str
    size: int
    digest: str
    records: int
    faults: tuple[str, ...]


class Archive(Protocol):
    """Keeps finished journals. A tree is either given to a keeper (`open`) or may be sealed: never both."""

    async def open(self, tree: str) -> None:
        """A keeper is about to write: puts a sealed journal back into a file of its own, at the same positions, and
        keeps it from being sealed until `release`. Raises `OSError`; then nothing has changed."""
        ...

    def release(self, tree: str) -> None:
        """No keeper writes any more."""
        ...

    def held(self) -> Sequence[str]:
        """The trees that keepers hold."""
        ...

    async def candidates(self, idle: float) -> Sequence[str]:
        """Some trees with an unsealed journal that nobody has written to for `idle` seconds and no keeper holds."""
        ...

    async def seal(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Writes sealed journals beside the unsealed ones, which stay in use; of those that are held or gone, none.

        Raises `OSError`; then nothing has changed."""
        ...

    async def settle(self, trees: Sequence[str]) -> None:
        """Removes the unsealed journals of trees that `seal` has sealed and that nobody has opened since."""
        ...

    async def move(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Moves sealed files to the blob store, when their bytes have been read back from there and are right.

        Tells also of those that had been moved before. Raises `OSError`; then what was not moved is where it was."""
        ...

    async def remove(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes everything there is of these trees; gives those of which nothing is left: not those that are held.

        Raises `OSError`; then it is to be called again."""
        ...

    async def verify(self, tree: str) -> Verdict | None:
        """Reads every byte of a journal; None if there is none. Raises `UnavailableError` when it cannot be."""
        ...

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """How many journals there are of each place, `live` ones too, and their bytes."""
        ...
