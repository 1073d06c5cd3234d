"""A store of large objects, local or far away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """Objects by key (`a/b.c`), written once and never changed. Every method may wait for a network: call it
    on a thread.

    Each raises `OSError` when the store cannot be reached or refuses, `FileNotFoundError` when there is no such object.
    """

    @property
    def name(self) -> str:
        """Where it is, for people."""
        ...

    def put(self, key: str, path: Path) -> None:
        """Stores the file's content; when this returns it is there whole, and durable as far as the store promises."""
        ...

    def read(self, key: str, at: int, length: int) -> bytes:
        """`length` bytes from offset `at` on; fewer only at the object's end."""
        ...

    def size(self, key: str) -> int:
        """The object's length in bytes."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; those that are not there are no error."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys of all objects whose key begins with `prefix`."""
        ...
