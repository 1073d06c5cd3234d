"""Reads YAML files of packs safely: limits the size of the file, and that of the document with all its references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from squall.adapters import reading
from squall.core.content.metadata_words import MetadataError
from squall.core.environment import judged
from squall.core.errors import InvalidError
from squall.core.safe_yaml import LOADER, check_size, load_yaml

_LARGEST = 4 << 20
"""The size limit of a metadata file, in bytes. The largest one in the public catalogue has 78 kB."""


def read_yaml(path: Path) -> Any:
    """Returns the document in a YAML file. Raises `InvalidError` that names the file and, if known, the line."""
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise InvalidError(f"{path}: the file has {size} bytes; the limit for metadata is {_LARGEST}")
        return load_yaml(reading.read_bytes(path))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise judged(error, InvalidError(f"{path}: {_message(error)}")) from error


def _message(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    problem = getattr(error, "problem", None) or "it is no YAML"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def located(path: Path, error: MetadataError) -> InvalidError:
    """Returns the error with the file and, if it can be found, the line of the faulty key."""
    line = _line(path, error.keys)
    return InvalidError(f"{path}:{line}: {error}" if line else f"{path}: {error}")


def _line(path: Path, keys: tuple[str, ...]) -> int | None:
    """Returns the line of the innermost of nested keys that the file contains; None if it contains none."""
    line = None
    try:
        text = reading.read_bytes(path)
        check_size(text)
        node = yaml.compose(text, Loader=LOADER)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        # If a mapping repeats a key, the last one counts.
        inner = next((pair for pair in reversed(node.value) if str(pair[0].value) == key), None)
        if inner is None:
            break
        line, node = inner[0].start_mark.line + 1, inner[1]
    return line


def repeated_keys(path: Path) -> list[str]:
    """Returns a message for each key that a mapping in a YAML file repeats: only its last value counts."""
    try:
        text = reading.read_bytes(path)
        check_size(text)
        root = yaml.compose(text, Loader=LOADER)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return []
    messages: list[str] = []
    visited: set[int] = set()
    pending: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while pending:
        node, keys = pending.pop()
        if id(node) in visited or not isinstance(node, yaml.CollectionNode):
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += [(item, keys) for item in reversed(node.value)]
            continue
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line, name = key.start_mark.line + 1, ".".join((*keys, key.value))
            first = lines.get((key.tag, key.value))
            if first is not None:
                messages.append(f"{path}:{line}: {name}: this key is in line {first} already; only the last one counts")
            lines[key.tag, key.value] = line
        pending += [(value, (*keys, str(key.value))) for key, value in reversed(node.value)]
    return messages
