"""Lists of packs in StackStorm's form: joined, searched, and told how they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from squall.core.errors import InvalidError

_NOT_SEARCHED = frozenset({"repo_url", "email"})


class PackIndex(NamedTuple):
    """Packs by name, and of each list its `url`, how many `packs` it has, and what was wrong: `message`, `error`."""

    packs: dict[str, dict[str, Any]]
    status: list[dict[str, Any]]

    def required(self) -> dict[str, dict[str, Any]]:
        """The packs. Raises `InvalidError` in StackStorm's words when there is none at all."""
        if not self.packs:
            tried = ", ".join(entry["url"] for entry in self.status)
            shown = json.dumps(self.status, indent=2)
            raise InvalidError(f"No results from the index: tried {tried}.\nStatus: {shown}")
        return self.packs


def merge(fetched: Sequence[tuple[str, Any, str, str]]) -> PackIndex:
    """Lists that were fetched, as (url, document, kind of error, what was wrong); earlier ones win."""
    packs: dict[str, dict[str, Any]] = {}
    status = []
    for url, document, error, message in fetched:
        found = document.get("packs") if isinstance(document, dict) else None
        if not error and not isinstance(found, dict):
            error, message = "malformed", 'the list has no "packs"'
        elif not error and not found:
            error, message = "empty", "the list has no packs"
        usable = {name: entry for name, entry in (found or {}).items() if isinstance(entry, dict)} if not error else {}
        told = {"error": error} if error else {}
        status.append({"url": url, "packs": len(usable), "message": message or "Success.", **told})
        for name, entry in usable.items():
            packs.setdefault(str(name), entry)
    return PackIndex(packs, status)


def search(packs: Mapping[str, Mapping[str, Any]], words: str) -> list[dict[str, Any]]:
    """The packs that have the text anywhere but in their addresses: those with it in their names first, then in their
    keywords, then others."""
    wanted = words.lower()
    found: list[tuple[int, str, dict[str, Any]]] = []
    for name, entry in packs.items():
        texts = {key: str(value).lower() for key, value in entry.items() if key not in _NOT_SEARCHED}
        if wanted in name.lower() or wanted in texts.get("name", ""):
            rank = 0
        elif wanted in texts.get("keywords", ""):
            rank = 1
        elif any(wanted in text for text in texts.values()):
            rank = 2
        else:
            continue
        found.append((rank, name, dict(entry)))
    return [entry for _, _, entry in sorted(found, key=lambda each: each[:2])]


def health(index: PackIndex) -> dict[str, Any]:
    """How the lists are, as StackStorm's API tells it."""
    errors = Counter(entry["error"] for entry in index.status if "error" in entry)
    return {
        "packs": {"count": len(index.packs)},
        "indexes": {
            "count": len(index.status),
            "valid": len(index.status) - errors.total(),
            "invalid": errors.total(),
            "errors": dict(errors),
            "status": index.status,
        },
    }
