"""Words of a workflow that the language does not have, each with its own path and a similar word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from squall.core.workflow.definition.schema import SCHEMA

_ALIKE = 0.6


def unknown_words(document: Any) -> Iterator[dict[str, Any]]:
    """Yields `{message, spec_path}` for each key that the language does not have at its place."""
    yield from _below(document, SCHEMA, "")


def _below(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _below(item, schema.get("items", {}), f"{path}[{at}]")
    if not isinstance(value, dict):
        return
    words = schema.get("properties", {})
    for key, part in value.items():
        place = f"{path}.{key}" if path else str(key)
        if key in words:
            yield from _below(part, words[key], place)
        elif schema.get("additionalProperties") is False:
            yield {"message": _message(str(key), words), "spec_path": place}
        else:
            for pattern, inner in schema.get("patternProperties", {}).items():
                if re.search(pattern, str(key)):
                    yield from _below(part, inner, place)


def _message(key: str, words: Collection[str]) -> str:
    similar = difflib.get_close_matches(key.lower(), list(words), 1, _ALIKE)
    advice = f'did you mean "{similar[0]}"?' if similar else f"the words are {', '.join(sorted(words))}"
    return f'The word "{key}" is not known here; {advice}'
