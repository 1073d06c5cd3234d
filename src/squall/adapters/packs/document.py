"""YAML files of packs, read safely: bounded in size, and in what they become when their references are followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from squall.core.content.metadata_words import MetadataError
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
        # Of keys that are there twice the last one counts.
        inner = next((pair for pair in reversed(node.value) if str(pair[0].value) == key), None)
        if inner is None:
            break
        found, node = inner[0].start_mark.line + 1, inner[1]
    return found


def repeated_keys(path: Path) -> list[str]:
    """What is said of each key that a mapping in a YAML file has more than once: only the last one counts."""
    try:
        text = path.read_bytes()
        check_depth(text)
        root = yaml.compose(text, Loader=LOADER)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return []
    repeated: list[str] = []
    seen: set[int] = set()
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while waiting:
        node, keys = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, keys) for item in reversed(node.value)]
            continue
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line, name = key.start_mark.line + 1, ".".join((*keys, key.value))
            first = lines.get((key.tag, key.value))
            if first is not None:
                repeated.append(f"{path}:{line}: {name}: this key is in line {first} already; only the last one counts")
            lines[key.tag, key.value] = line
        waiting += [(value, (*keys, str(key.value))) for key, value in reversed(node.value)]
    return repeated
