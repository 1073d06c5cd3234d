"""A store of large objects, local or remote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """A store of objects by key (`a/b.c`), written once and never changed. Every method may wait for a network: call it
    on a thread.

    Each raises `OSError` if the store cannot be reached or refuses, `FileNotFoundError` if there is no such object.
    """

    @property
    def name(self) -> str:
        """The location of the store, for users."""
        ...

    def put(self, key: str, path: Path) -> None:
        """Stores the file's content. When this returns, the object is complete, and durable as far as the store
        promises."""
        ...

    def read(self, key: str, at: int, length: int) -> bytes:
        """Reads `length` bytes from offset `at` on; fewer only at the object's end."""
        ...

    def size(self, key: str) -> int:
        """Returns the object's length in bytes."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; ignores missing ones."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yields the keys of all objects whose key begins with `prefix`."""
        ...
