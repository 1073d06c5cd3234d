"""A disk with two planes: what has been written, and what has been synced. It records the changes below one folder, and
makes the images that a loss of power may leave at any moment.

Of what was not synced, an image has any part: writes to a file are lost, cut short or kept one by one, and so are the
changes of the names in a folder. A write, also one that replaces a name, is never undone once it was synced.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SECTOR = 512


class Write(NamedTuple):
    """Bytes written to a file at an offset."""

    node: int
    at: int
    data: bytes


class Cut(NamedTuple):
    """The length of a file was set."""

    node: int
    size: int


class Sync(NamedTuple):
    """All bytes of a file were forced to the disk."""

    node: int


class Names(NamedTuple):
    """Names in a folder were set (to the number of a file, a link's target or a folder) or removed (None), at once."""

    folder: str
    names: dict[str, int | str | None]


class SyncFolder(NamedTuple):
    """All names in a folder were forced to the disk."""

    folder: str


class Told(NamedTuple):
    """Somebody was told this fact, so it must be there from now on."""

    fact: object


Change = Write | Cut | Sync | Names | SyncFolder | Told
FOLDER = -1
"""The number that a folder has among `Names`."""


class Disk:
    """The record of the changes below `root`, by one or more threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.changes: list[Change] = []
        self._lock = threading.Lock()
        self._nodes: dict[str, int] = {}
        self._last = 0

    def inside(self, path: str | Path) -> bool:
        """Returns True if the disk records what happens at `path`."""
        return Path(path).is_relative_to(self.root)

    def add(self, change: Change) -> None:
        """Records a change."""
        with self._lock:
            self.changes.append(change)

    def told(self, fact: object) -> None:
        """Records that somebody was told a fact."""
        self.add(Told(fact))

    def opened(self, path: str | Path) -> int:
        """Returns the number of the file at `path`, which is recorded as new if it has none."""
        with self._lock:
            node = self._nodes.get(str(path))
            if node is None:
                self._last += 1
                node = self._nodes[str(path)] = self._last
                self.changes.append(Names(str(Path(path).parent), {Path(path).name: node}))
            return node

    def known(self) -> set[str]:
        """Returns the paths of the files that have been recorded."""
        with self._lock:
            return set(self._nodes)

    def named(self, path: str | Path, value: int | str | None) -> None:
        """Records a new name for a file, a folder or a link, or that a name is gone (None)."""
        with self._lock:
            self._set(str(path), value)
            self.changes.append(Names(str(Path(path).parent), {Path(path).name: value}))

    def renamed(self, old: str | Path, new: str | Path) -> None:
        """Records that a name was replaced by another in the same folder."""
        assert Path(old).parent == Path(new).parent
        with self._lock:
            value = self._value(str(old))
            self._set(str(old), None)
            self._set(str(new), value)
            self.changes.append(Names(str(Path(new).parent), {Path(old).name: None, Path(new).name: value}))

    def linked(self, old: str | Path, new: str | Path) -> None:
        """Records a second name of a file."""
        self.named(new, self._nodes[str(old)])

    def _value(self, path: str) -> int | str | None:
        if path in self._nodes:
            return self._nodes[path]
        target = next(
            change.names[Path(path).name]
            for change in reversed(self.changes)
            if isinstance(change, Names) and change.folder == str(Path(path).parent) and Path(path).name in change.names
        )
        assert isinstance(target, str)
        return target

    def _set(self, path: str, value: int | str | None) -> None:
        self._nodes.pop(path, None)
        if isinstance(value, int) and value != FOLDER:
            self._nodes[path] = value


class _File:
    def __init__(self) -> None:
        self.synced = bytearray()
        self.pending: list[Write | Cut] = []

    def image(self, rng: random.Random, keep: float) -> bytearray:
        data = bytearray(self.synced)
        for change in self.pending:
            if rng.random() < keep:
                part = change
                if isinstance(change, Write) and 0 < keep < 1 and rng.random() < 0.2:
                    part = change._replace(data=change.data[: rng.randrange(0, len(change.data) + 1, SECTOR)])
                _apply(data, part)
        return data


def _apply(data: bytearray, change: Write | Cut) -> None:
    if isinstance(change, Cut):
        del data[change.size :]
        data.extend(bytes(change.size - len(data)))
        return
    data.extend(bytes(max(0, change.at - len(data))))
    data[change.at : change.at + len(change.data)] = change.data


class _Folder:
    def __init__(self) -> None:
        self.synced: dict[str, int | str | None] = {}
        self.pending: list[dict[str, int | str | None]] = []

    def image(self, rng: random.Random, keep: float) -> dict[str, int | str | None]:
        names = dict(self.synced)
        for change in self.pending:
            if rng.random() < keep:
                names.update(change)
        return names


class Crash(NamedTuple):
    """A moment of a loss of power: how many changes had happened, the facts that had been told, and what writes the
    folder that the disk had then."""

    at: int
    facts: Sequence[object]
    restore: Callable[[Path], None]


def crashes(
    disk: Disk, points: Sequence[int], rng: random.Random, shares: Sequence[float] = (0.0, 0.0, 0.5, 0.5, 0.9, 1.0)
) -> Iterator[Crash]:
    """Yields a crash for each of `points`, which are numbers of changes in order. `shares` are how much the images
    have of what was not synced: nothing (0), everything (1), or a part."""
    files: dict[int, _File] = {}
    folders: dict[str, _Folder] = {str(disk.root): _Folder()}
    facts: list[object] = []
    done = 0
    for point in points:
        for change in disk.changes[done:point]:
            _happen(change, files, folders, facts)
        done = point
        keep = rng.choice(shares)

        def restore(target: Path, keep: float = keep) -> None:
            _restore(str(disk.root), target, files, folders, rng, keep)

        yield Crash(point, tuple(facts), restore)


def _happen(change: Change, files: dict[int, _File], folders: dict[str, _Folder], facts: list[object]) -> None:
    match change:
        case Write(node) | Cut(node):
            files.setdefault(node, _File()).pending.append(change)
        case Sync(node):
            file = files.setdefault(node, _File())
            for each in file.pending:
                _apply(file.synced, each)
            file.pending.clear()
        case Names(folder, names):
            folders.setdefault(folder, _Folder()).pending.append(names)
        case SyncFolder(path):
            synced = folders.setdefault(path, _Folder())
            for entry in synced.pending:
                synced.synced.update(entry)
            synced.pending.clear()
        case Told(fact):
            facts.append(fact)


def _restore(
    folder: str,
    target: Path,
    files: dict[int, _File],
    folders: dict[str, _Folder],
    rng: random.Random,
    keep: float,
) -> None:
    target.mkdir()
    for name, value in folders.get(folder, _Folder()).image(rng, keep).items():
        if value == FOLDER:
            _restore(f"{folder}/{name}", target / name, files, folders, rng, keep)
        elif isinstance(value, int):
            data = files.get(value, _File()).image(rng, keep)
            (target / name).write_bytes(data.rstrip(b"\0"))
            os.truncate(target / name, len(data))
        elif isinstance(value, str):
            (target / name).symlink_to(value)
