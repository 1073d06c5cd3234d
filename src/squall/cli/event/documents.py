"""Reads the YAML and JSON documents that commands about rules take from files and arguments."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from squall.core.errors import InvalidError


def mapping_in(path: Path) -> dict[str, Any]:
    """Returns the mapping in a YAML or JSON file; `-` is standard input. Raises `InvalidError`."""
    import yaml

    from squall.core.safe_yaml import load_yaml

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        document = load_yaml(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise InvalidError(f"{path}: expected a mapping")
    return document


def payload_of(text: str | None) -> dict[str, Any]:
    """Returns the payload that an argument gives as JSON, or as `@FILE`; empty without one. Raises `InvalidError`."""
    if not text:
        return {}
    if text.startswith("@"):
        return mapping_in(Path(text[1:]))
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise InvalidError(f"the payload is no JSON: {error}. Write it like '{{\"key\": 1}}', or as @FILE") from error
    if not isinstance(payload, dict):
        raise InvalidError("the payload must be a JSON object, such as '{\"key\": 1}'")
    return payload
