"""`squall backup`: copies a data directory, also while its server runs.

It copies the database first, in its state at one moment, and then the journals of the executions in that database. The
copy may contain later output of a running execution, but never its later statuses.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from squall import __version__, config
from squall.adapters import durable, reading
from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.reading import read
from squall.adapters.journal.sources import Source, Sources
from squall.adapters.sql.copying import Copy, check_database, copy_database
from squall.adapters.sql.output.seals import SqliteSeals
from squall.assembly import arguments
from squall.cli.terminal.parser import Parser
from squall.commands.copies import (
    DATABASE,
    FORMAT,
    KEYS,
    MANIFEST,
    PACKS_DIRS,
    PIECE,
    Progress,
    check_empty,
    digest,
    write,
)
from squall.core.errors import ConfigError, SquallError
from squall.core.output import journal
from squall.server import datadir

_SEALS, _SETTINGS = "seals.db", "squall.toml"
_ROWS = 1000
_LOST = "This execution was running at the time of the backup from which this server was restored."


class Content(NamedTuple):
    """The content to copy: the pack folders in the settings, and, if they are in the data directory, the folder of
    installed packs, the folder of configurations, and the password file. Virtualenvs are not copied."""

    packs_dirs: tuple[Path, ...]
    installed: Path | None
    configs: Path | None
    users: Path | None


class Backup:
    """A backup of the data directory `home` in the empty folder `target`. `tell` shows its progress."""

    def __init__(self, home: Path, target: Path, blobs: BlobPlace, tell: Progress) -> None:
        self._home = home
        self._target = target
        self._tell = tell
        self._root = home / "journals"
        self._rows = SqliteSeals(home / _SEALS, read_only=True)
        self._sources = Sources(self._root, self._rows, blobs)
        self.files: dict[str, dict[str, Any]] = {}

    def make(self, content: Content, with_key: bool) -> None:
        """Copies all files and reads the copies back. Raises `OSError` and `ConfigError`."""
        self._tell("database …")
        copy_database(self._home / DATABASE, self._target / DATABASE)
        copy = Copy(self._target / DATABASE)
        try:
            self._journals(copy)
            self._ends(copy)
            schema = copy.schema
        finally:
            copy.close()
            self._rows.close()
        names = [Path(name) for name in (_SETTINGS, *(KEYS if with_key else ()))]
        for file in [*names, *([content.users] if content.users is not None else [])]:
            if (self._home / file).is_file():
                self._copy(self._home / file, file)
        self._folder(self._home / "results", Path("results"))
        for number, folder in enumerate(content.packs_dirs):
            self._folder(folder, Path(PACKS_DIRS) / f"{number}-{folder.name}")
        if content.installed is not None:
            for pack in sorted((self._home / content.installed).glob("*/pack.yaml")):
                # An installed pack is a link to the version in use. Copy that version as a folder.
                self._folder(pack.parent.resolve(), content.installed / pack.parent.name)
        if content.configs is not None:
            self._folder(self._home / content.configs, content.configs)
        for name in (DATABASE, _SEALS):
            if (self._target / name).exists():
                if fault := check_database(self._target / name):
                    raise OSError(f"the copy of {name} is damaged: {fault}")
                durable.sync_file(self._target / name)
                self._note(self._target / name)
        for name, entry in self.files.items():
            self._tell(f"checking {name}")
            if digest(self._target / name) != entry["sha256"]:
                raise OSError(f"{self._target / name} does not read back as it was written")
        manifest = {
            "format": FORMAT,
            "version": __version__,
            "schema": schema,
            "created_us": time.time_ns() // 1000,
            "with_key": with_key,
            "files": self.files,
        }
        # The manifest comes last: a backup without it is incomplete.
        write(self._target / MANIFEST, [json.dumps(manifest, indent=1).encode()])

    # -- journals

    def _journals(self, copy: Copy) -> None:
        """Copies every journal of an execution in the copied database.

        A journal that moves meanwhile is in its new place before it leaves the old one. So live files come first and
        rows last, and a second pass finds the journals that were opened again.
        """
        last, running = copy.last_event, set(copy.unfinished())
        done: set[str] = set()
        for tree in sorted(running):
            if self._live(tree, last):
                done.add(tree)
        for _ in range(2):
            for suffix in (".journal", ".sealed"):
                names = {path.name.removesuffix(suffix): path for path in self._root.glob(f"*/*{suffix}")}
                for tree in sorted(copy.known(names.keys() - done)):
                    with suppress(FileNotFoundError):
                        self._journal(tree, names[tree], last)
                        done.add(tree)
            if (self._home / _SEALS).exists():
                (self._target / _SEALS).unlink(missing_ok=True)
                copy_database(self._home / _SEALS, self._target / _SEALS)
        self._prune_rows(copy, done)

    def _journal(self, tree: str, path: Path, last: int) -> None:
        self._tell(f"output of {tree}")
        if path.suffix == ".sealed":
            self._copy(path, path.relative_to(self._home))
        elif not self._live(tree, last):
            raise FileNotFoundError(path)

    def _live(self, tree: str, last: int) -> bool:
        """Writes a tree's journal as a live file, up to the first status that is not in the copied database.

        Returns False if the tree has no journal.
        """
        try:
            source = self._sources.open(tree)
        except DamagedError as error:
            self._tell(f"the output of {tree} is not copied: {error}")
            source = None
        if source is None:
            return False
        try:
            end = _known_end(source, last)
            header = _header(source, end)
            target = Path("journals") / journal.file_name(tree)
            pieces = (bytes(source.pread(at, min(PIECE, end - at))) for at in range(journal.HEADER_SIZE, end, PIECE))
            self._write(target, _chained(header, pieces))
        finally:
            source.close()
        return True

    def _prune_rows(self, copy: Copy, done: set[str]) -> None:
        """Deletes copied rows of journals that were copied as files or are unknown to the copied database."""
        if not (self._target / _SEALS).exists():
            return
        rows = SqliteSeals(self._target / _SEALS)
        try:
            after = ""
            while trees := [tree for tree, _ in rows.trees(after, _ROWS)]:
                after = trees[-1]
                copied = copy.known(trees)
                rows.delete([tree for tree in trees if tree in done or tree not in copied])
        finally:
            rows.close()

    def _ends(self, copy: Copy) -> None:
        """Writes a keeper's log in which all running executions are lost. A restored server must neither start them
        again nor look for their processes, which may still run for the original server."""
        lines = []
        for execution, attempt, tree in copy.begun():
            about = {"execution": execution, "attempt": attempt}
            lines.append({"log": "start", **about, "tree": tree})
            lines.append({"log": "end", **about, "exit_code": -1, "lost": _LOST})
        if lines:
            pieces = iter([json.dumps(line).encode() + b"\n" for line in lines])
            self._write(Path("keepers") / "restored" / "run.log", pieces)

    # -- files

    def _folder(self, source: Path, target: Path) -> None:
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                    with suppress(FileNotFoundError):
                        self._copy(path, target / path.relative_to(source))

    def _copy(self, source: Path, target: Path) -> None:
        with open(source, "rb", opener=reading.open_regular) as file:
            self._write(target, iter(lambda: file.read(PIECE), b""), source.stat().st_mode & 0o700)

    def _write(self, target: Path, pieces: Iterator[bytes], mode: int = 0o600) -> None:
        digest, size = write(self._target / target, pieces, mode)
        self.files[target.as_posix()] = {"size": size, "sha256": digest}

    def _note(self, path: Path) -> None:
        name = path.relative_to(self._target).as_posix()
        self.files[name] = {"size": path.stat().st_size, "sha256": digest(path)}


def _known_end(source: Source, last: int) -> int:
    """Returns the start of the first record with an event row after `last`, or the journal's end."""
    committed = source.committed
    position = journal.HEADER_SIZE
    while position < committed:
        batch = read(source, source.pread, committed, position, PIECE)
        for record in batch.records:
            if journal.event_row(record.event) > last:
                return record.start
        if batch.position == position:
            break
        position = batch.position
    return committed


def _header(source: Source, end: int) -> bytes:
    """Returns the header page of a journal that ends at `end`."""
    page = bytearray(source.pread(0, journal.HEADER_SIZE))
    closing = source.closing if source.closing < end else 0
    commit = journal.pack_commit(end, closing, journal.unpack_header(bytes(page)).commit_seed)
    page[journal.COMMIT_OFFSET : journal.COMMIT_OFFSET + len(commit)] = commit
    return bytes(page)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def backup(arguments: list[str]) -> int:
    """Runs `squall backup DIR`. Returns the exit status. Raises `ConfigError`, `SquallError`."""
    parser = Parser(
        prog="squall backup",
        description="Copy a data directory to DIR, also while its server runs, and check the copy.",
    )
    parser.add_argument("directory", metavar="DIR", help="a new or empty directory")
    parser.add_argument("--data-dir", metavar="DIR", help="the data directory to copy (default ~/.squall)")
    parser.add_argument("--config", metavar="FILE", help="TOML file of settings (default DATA_DIR/squall.toml)")
    parser.add_argument("--with-key", action="store_true", help="also copy the keys, which open every secret")
    args = parser.parse_args(arguments)
    settings = config.load(config.flags_from(args), os.environ).settings
    home, target = settings.server.data_dir, Path(args.directory).absolute()
    if not (home / DATABASE).is_file():
        raise ConfigError(f"{home} is no data directory of Squall: it has no {DATABASE}. Choose one with --data-dir.")
    datadir.check_whole(home)
    if target.is_relative_to(home):
        raise ConfigError(f"{target} is inside the data directory: choose another directory.")
    check_empty(target, "a backup")
    tell = Progress()
    storage = settings.storage
    blobs = BlobPlace.below(home, storage.blobs, storage.blobs_endpoint, storage.blobs_region)
    copy = Backup(home, target, blobs, tell)
    try:
        copy.make(_content(settings), args.with_key)
    except OSError as error:
        raise SquallError(f"the backup failed, and {target} is incomplete: {error}") from error
    finally:
        tell.end()
    size = sum(entry["size"] for entry in copy.files.values())
    print(f"{target}: {len(copy.files)} files, {size} bytes, checked")
    if not args.with_key:
        names = " and ".join(name for name in KEYS if (home / name).exists())
        if names:
            print(
                f"not in the backup: {names}. Its secrets cannot be opened without them, so keep them elsewhere",
                file=sys.stderr,
            )
    return 0


def _content(settings: config.Settings) -> Content:
    home = settings.server.data_dir
    paths = (
        arguments.installed_packs(settings),
        arguments.below(settings, settings.content.configs_dir, "configs"),
        home / settings.auth.htpasswd,
    )
    inside = [
        path.relative_to(home) if path.is_relative_to(home) and ".." not in path.parts else None for path in paths
    ]
    return Content(settings.server.packs_dirs, *inside)
