"""Pack configurations in files, in StackStorm's layout: `<folder>/<pack>.yaml`, and the pack's `config.schema.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from squall.core.action import Pack
from squall.core.errors import InvalidError
from squall.core.pack_config import PackConfig, mask_values, secret_values, with_defaults

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Key = tuple[tuple[int, int], tuple[int, int]]


class ConfigFiles:
    """`ports.ConfigSource` over the files in `folder`. What was read is kept until a file changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[_Key, PackConfig]] = {}

    def load(self, pack: Pack) -> PackConfig:
        """The pack's values, with its schema's defaults. Raises `InvalidError` that names a file it cannot read."""
        path = self._folder / f"{pack.ref}.yaml"
        schema_path = Path(pack.path) / "config.schema.yaml"
        key = (_stamp(path), _stamp(schema_path))
        kept = self._kept.get(pack.ref)
        if kept is not None and kept[0] == key:
            return kept[1]
        schema = _mapping(schema_path)
        values = with_defaults(_mapping(path), schema)
        found = PackConfig(values, str(path), tuple(secret_values(values, schema)))
        self._kept[pack.ref] = (key, found)
        return found

    def schema(self, pack: Pack) -> dict[str, Any]:
        """What its `config.schema.yaml` says. Raises `InvalidError`."""
        return _mapping(Path(pack.path) / "config.schema.yaml")

    def given(self, pack: Pack, secrets: bool) -> dict[str, Any] | None:
        """What its file says; secret values are masked unless `secrets` are to be shown. Raises `InvalidError`."""
        path = self._folder / f"{pack.ref}.yaml"
        if not path.exists():
            return None
        values = _mapping(path)
        return values if secrets else mask_values(values, self.schema(pack))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _mapping(path: Path) -> dict[str, Any]:
    """The mapping in a file; empty when there is none. Raises `InvalidError`."""
    try:
        data = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise InvalidError(f"{path}: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidError(f"{path}: expected a mapping")
    return {str(name): value for name, value in data.items()}
