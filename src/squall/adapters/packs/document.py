"""YAML files of packs, read safely: bounded in size, and in what they become when their references are followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from squall.core.content.metadata import MetadataError
from squall.core.errors import InvalidError
from squall.core.safe_yaml import LOADER, check_depth, load_yaml

_LARGEST = 4 << 20
"""Bytes of the largest metadata file; the largest of the public catalogue has 78 kB."""


def read_yaml(path: Path) -> Any:
    """The document in a YAML file. Raises `InvalidError` that names the file, and the line where that is known."""
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise InvalidError(f"{path}: the file has {size} bytes; metadata may have {_LARGEST}")
        return load_yaml(path.read_bytes())
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidError(f"{path}: {_told(error)}") from error


def _told(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    problem = getattr(error, "problem", None) or "it is no YAML"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def located(path: Path, error: MetadataError) -> InvalidError:
    """The error with the file and, where it can be found, the line of what it is about."""
    line = _line(path, error.keys)
    return InvalidError(f"{path}:{line}: {error}" if line else f"{path}: {error}")


def _line(path: Path, keys: tuple[str, ...]) -> int | None:
    """The line of the innermost of nested keys that is there."""
    found = None
    try:
        text = path.read_bytes()
        check_depth(text)
        node = yaml.compose(text, Loader=LOADER)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        inner = next((pair for pair in node.value if str(pair[0].value) == key), None)
        if inner is None:
            break
        found, node = inner[0].start_mark.line + 1, inner[1]
    return found
