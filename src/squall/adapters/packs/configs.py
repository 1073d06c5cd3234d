"""Pack configurations in files, in StackStorm's layout: `<folder>/<pack>.yaml`, and the pack's `config.schema.yaml`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from squall.adapters.packs.document import read_yaml
from squall.core.access.secret import from_stored, replace_sealed, to_stored
from squall.core.content.action import Pack
from squall.core.content.pack_config import PackConfig, mask_values, secret_values, templates_in, with_defaults
from squall.core.errors import ConfigError, InvalidError
from squall.core.names import below, pack_name

_Key = tuple[tuple[int, int], tuple[int, int]]


class ConfigFiles:
    """`ports.ConfigSource` over the files in `folder`; `reveal` opens what is sealed in them. What was read is kept
    until a file changes."""

    def __init__(self, folder: Path, reveal: Callable[[str], Any]) -> None:
        self._folder = folder
        self._reveal = reveal
        self._kept: dict[str, tuple[_Key, PackConfig]] = {}

    def load(self, pack: Pack) -> PackConfig:
        """The pack's values, with its schema's defaults. Raises `InvalidError` that names a file it cannot read."""
        path = self.path(pack)
        schema_path = Path(pack.path) / "config.schema.yaml"
        key = (_stamp(path), _stamp(schema_path))
        kept = self._kept.get(pack.ref)
        if kept is not None and kept[0] == key:
            return kept[1]
        schema = _mapping(schema_path)
        given = self._opened(path)
        values = with_defaults(given, schema)
        secrets = tuple(secret_values(values, schema))
        found = PackConfig(values, str(path), secrets, frozenset(templates_in(given)))
        self._kept[pack.ref] = (key, found)
        return found

    def path(self, pack: Pack) -> Path:
        """The file of a pack's values."""
        return below(self._folder, f"{pack_name(pack.ref)}.yaml")

    def schema(self, pack: Pack) -> dict[str, Any]:
        """What its `config.schema.yaml` says. Raises `InvalidError`."""
        return _mapping(Path(pack.path) / "config.schema.yaml")

    def given(self, pack: Pack, secrets: bool) -> dict[str, Any] | None:
        """What its file says; secret values are masked unless `secrets` are to be shown. Raises `InvalidError`."""
        path = self.path(pack)
        if not path.exists():
            return None
        values = self._opened(path)
        return values if secrets else mask_values(values, self.schema(pack))

    def write(self, pack: Pack, values: dict[str, Any]) -> None:
        """Writes the pack's values, of which secret ones are sealed. Raises `OSError`."""
        path = self.path(pack)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            yaml.safe_dump(
                {name: to_stored(value) for name, value in values.items()}, file, sort_keys=False, allow_unicode=True
            )
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def _opened(self, path: Path) -> dict[str, Any]:
        values = _mapping(path)
        try:
            return {name: replace_sealed(from_stored(value), self._reveal) for name, value in values.items()}
        except ConfigError as error:
            raise InvalidError(
                f"{path}: a value of $sealed was not encrypted with the key file of this server: {error}"
            ) from error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _mapping(path: Path) -> dict[str, Any]:
    """The mapping in a file; empty when there is none. Raises `InvalidError`."""
    if not path.exists():
        return {}
    data = read_yaml(path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidError(f"{path}: expected a mapping")
    return {str(name): value for name, value in data.items()}
