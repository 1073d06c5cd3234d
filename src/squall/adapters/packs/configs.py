"""Pack configurations in files, in StackStorm's layout: `<folder>/<pack>.yaml`, and the pack's `config.schema.yaml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from squall.adapters import durable
from squall.adapters.packs.document import read_yaml
from squall.core.access.secret import from_stored, replace_sealed, to_stored
from squall.core.content.action import Pack
from squall.core.content.pack_config import PackConfig, mask_values, secret_values, templates_in, with_defaults
from squall.core.errors import ConfigError, InvalidError
from squall.core.names import below, pack_name

_Key = tuple[tuple[int, int], tuple[int, int]]


class ConfigFiles:
    """`ports.ConfigSource` for the files in `folder`. `reveal` opens the sealed values in them. Caches the
    configurations until a file changes."""

    def __init__(self, folder: Path, reveal: Callable[[str], Any]) -> None:
        self._folder = folder
        self._reveal = reveal
        self._cache: dict[str, tuple[_Key, PackConfig]] = {}

    def load(self, pack: Pack) -> PackConfig:
        """Returns the pack's values with its schema's defaults. Raises `InvalidError` that names an unreadable file."""
        path = self.path(pack)
        schema_path = Path(pack.path) / "config.schema.yaml"
        key = (_stamp(path), _stamp(schema_path))
        entry = self._cache.get(pack.ref)
        if entry is not None and entry[0] == key:
            return entry[1]
        schema = _mapping(schema_path)
        file_values = self._revealed(path)
        values = with_defaults(file_values, schema)
        secrets = tuple(secret_values(values, schema))
        config = PackConfig(values, str(path), secrets, frozenset(templates_in(file_values)))
        self._cache[pack.ref] = (key, config)
        return config

    def path(self, pack: Pack) -> Path:
        """Returns the path of the file of a pack's values."""
        return below(self._folder, f"{pack_name(pack.ref)}.yaml")

    def schema(self, pack: Pack) -> dict[str, Any]:
        """Returns the schema in the pack's `config.schema.yaml`; empty without one. Raises `InvalidError`."""
        return _mapping(Path(pack.path) / "config.schema.yaml")

    def given(self, pack: Pack, secrets: bool) -> dict[str, Any] | None:
        """Returns the values in the pack's file, or None without a file. Masks secret values unless `secrets` is true.
        Raises `InvalidError`."""
        path = self.path(pack)
        if not path.exists():
            return None
        values = self._revealed(path)
        return values if secrets else mask_values(values, self.schema(pack))

    def write(self, pack: Pack, values: dict[str, Any]) -> None:
        """Writes the pack's values, whose secret ones are sealed already. Raises `OSError`."""
        path = self.path(pack)
        stored = {name: to_stored(value) for name, value in values.items()}
        text: str = yaml.safe_dump(stored, sort_keys=False, allow_unicode=True)
        durable.make_folder(path.parent)
        durable.write(path, text.encode())

    def _revealed(self, path: Path) -> dict[str, Any]:
        values = _mapping(path)
        try:
            return {name: replace_sealed(from_stored(value), self._reveal) for name, value in values.items()}
        except ConfigError as error:
            raise InvalidError(
                f"{path}: a value of $sealed was not encrypted with the key file of this server: {error}"
            ) from error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _mapping(path: Path) -> dict[str, Any]:
    """Returns the mapping in a file; empty if there is no file. Raises `InvalidError`."""
    if not path.exists():
        return {}
    data = read_yaml(path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidError(f"{path}: expected a mapping")
    return {str(name): value for name, value in data.items()}
