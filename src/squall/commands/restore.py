"""`squall restore`: checks every byte of a backup and copies it into a new data directory."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from squall import config
from squall.adapters import durable, reading
from squall.adapters.sql.copying import Copy
from squall.assembly import key_files
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
from squall.server import datadir


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a backup after checking all its files. Raises `ConfigError` if one is wrong."""
    try:
        manifest = json.loads(reading.read_bytes(folder / MANIFEST))
        files: Mapping[str, Mapping[str, Any]] = manifest["files"]
        form = manifest["format"]
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} is no backup, or an incomplete one: it has no {MANIFEST}.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if form != FORMAT:
        raise ConfigError(f"{folder} has format {form}; this version of Squall restores format {FORMAT}.")
    for name, entry in files.items():
        if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ConfigError(f"{folder / MANIFEST} names {name!r:.200}, which is no file of a backup.")
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise ConfigError(f"{path} is missing: the backup is incomplete.")
        if path.stat().st_size != entry["size"] or digest(path) != entry["sha256"]:
            raise ConfigError(f"{path} has changed since the backup: the backup is damaged.")
    return dict(manifest)


def _end_leases(home: Path) -> None:
    """Lets the restored server take up at once what the copied one was working on. Raises `OSError`."""
    copy = Copy(home / DATABASE)
    try:
        copy.end_leases()
    finally:
        copy.close()


def restore(arguments: list[str]) -> int:
    """Runs `squall restore DIR`. Returns the exit status. Raises `ConfigError`, `SquallError`."""
    parser = Parser(prog="squall restore", description="Check a backup and put it into a new data directory.")
    parser.add_argument("directory", metavar="DIR", help="the directory of a backup")
    parser.add_argument("--data-dir", metavar="DIR", help="a new or empty directory (default ~/.squall)")
    args = parser.parse_args(arguments)
    home = config.load(config.flags_from(args), os.environ).settings.server.data_dir
    source = Path(args.directory).absolute()
    manifest = read_manifest(source)
    datadir.check_whole(home)
    check_empty(home, "restoring")
    tell = Progress()
    try:
        datadir.begin_restore(home)
        for name, entry in manifest["files"].items():
            tell(name)
            with open(source / name, "rb", opener=reading.open_regular) as file:
                pieces = iter(lambda file=file: file.read(PIECE), b"")  # type: ignore[misc]
                digest, _ = write(home / name, pieces, (source / name).stat().st_mode & 0o700)
            if digest != entry["sha256"]:
                raise OSError(f"{source / name} has changed while it was read")
        _end_leases(home)
        if not manifest["with_key"]:
            key_files.forget_unused(home)
        durable.sync_file(home / DATABASE)
        datadir.end_restore(home)
    except OSError as error:
        raise SquallError(f"restoring failed, remove {home} and try again: {error}") from error
    finally:
        tell.end()
    print(f"{home}: {len(manifest['files'])} files restored from {source}")
    if not manifest["with_key"]:
        print(f"put {' and '.join(KEYS)} into {home} before you start the server: not in the backup", file=sys.stderr)
    if any(name.startswith(f"{PACKS_DIRS}/") for name in manifest["files"]):
        print(f"packs are in {home / PACKS_DIRS}: name their folders with --packs-dir", file=sys.stderr)
    if any(name.endswith("/requirements.txt") for name in manifest["files"]):
        print("virtualenvs are not in backups. Run: squall run packs.setup_virtualenv packs=…", file=sys.stderr)
    return 0
