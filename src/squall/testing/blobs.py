# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract suite of stores of large objects. A test class derives from `BlobsContract`; its module has a fixture
`blobs` that returns an empty `ports.Blobs`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from squall.ports import Blobs


def stored(blobs: Blobs, folder: Path, key: str, data: bytes) -> bytes:
    """Puts `data` under `key` and returns it."""
    path = folder / "object"
    path.write_bytes(data)
    blobs.put(key, path)
    return data


class BlobsContract:
    """The contract of `ports.Blobs`."""

    def test_any_part_of_an_object_is_read(self, blobs: Blobs, tmp_path: Path) -> None:
        """A read beyond the end returns no bytes."""
        data = stored(blobs, tmp_path, "65000/a.sealed", os.urandom(100_000))
        for at, length in ((0, 10), (50_000, 1), (99_990, 10), (99_990, 1000), (0, 100_000), (7, 0)):
            assert blobs.read("65000/a.sealed", at, length) == data[at : at + length]
        assert blobs.size("65000/a.sealed") == len(data)

    def test_a_large_object_is_stored_whole(self, blobs: Blobs, tmp_path: Path) -> None:
        """This holds also if the adapter sends it in several pieces."""
        data = stored(blobs, tmp_path, "65000/large", os.urandom(12 << 20))
        assert blobs.size("65000/large") == len(data)
        assert blobs.read("65000/large", 0, len(data)) == data

    def test_an_object_that_is_put_again_is_replaced(self, blobs: Blobs, tmp_path: Path) -> None:
        """A move that was killed starts again from the beginning."""
        stored(blobs, tmp_path, "65000/a", b"first one")
        stored(blobs, tmp_path, "65000/a", b"second")
        assert blobs.read("65000/a", 0, 100) == b"second"

    def test_what_is_not_there_is_an_error_of_its_own(self, blobs: Blobs) -> None:
        """A reader must see that the object is gone, not that the store is broken."""
        with pytest.raises(FileNotFoundError):
            blobs.read("65000/none", 0, 10)
        with pytest.raises(FileNotFoundError):
            blobs.size("65000/none")

    def test_what_is_deleted_is_gone_and_the_others_stay(self, blobs: Blobs, tmp_path: Path) -> None:
        """Deleting a missing object is no error."""
        for key in ("65000/a", "65000/b", "65001/c"):
            stored(blobs, tmp_path, key, b"x")
        assert list(blobs.keys("")) == ["65000/a", "65000/b", "65001/c"]
        blobs.delete(["65000/a", "65000/none", "65001/c"])
        assert list(blobs.keys("")) == ["65000/b"]
        blobs.delete([])
        blobs.delete(["65000/b", "65000/b"])
        assert list(blobs.keys("")) == []

    def test_keys_are_listed_by_their_beginning(self, blobs: Blobs, tmp_path: Path) -> None:
        """An empty prefix lists all keys."""
        for key in ("65000/a", "65000/ab", "65001/a"):
            stored(blobs, tmp_path, key, b"x")
        assert list(blobs.keys("65000/")) == ["65000/a", "65000/ab"]

    def test_it_says_where_it_is(self, blobs: Blobs) -> None:
        """Error messages contain the name of the store."""
        assert blobs.name
