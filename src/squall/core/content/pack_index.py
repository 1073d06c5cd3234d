"""Indexes of packs in StackStorm's form: merges and searches them, and reports their health."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from squall.core.errors import InvalidError

_NOT_SEARCHED = frozenset({"repo_url", "email"})


class PackIndex(NamedTuple):
    """The packs of several lists by name, and the `status` of each list: its `url`, its number of `packs`, its
    `message` and the kind of `error`."""

    packs: dict[str, dict[str, Any]]
    status: list[dict[str, Any]]

    def required(self) -> dict[str, dict[str, Any]]:
        """Returns the packs. Raises `InvalidError` in StackStorm's words if there are none."""
        if not self.packs:
            urls = ", ".join(entry["url"] for entry in self.status)
            status = json.dumps(self.status, indent=2)
            raise InvalidError(f"No results from the index: tried {urls}.\nStatus: {status}")
        return self.packs


def merge(fetched: Sequence[tuple[str, Any, str, str]]) -> PackIndex:
    """Merges fetched lists, each as (url, document, kind of error, message). Of two packs with one name the earlier one
    counts."""
    packs: dict[str, dict[str, Any]] = {}
    status = []
    for url, document, error, message in fetched:
        listed = document.get("packs") if isinstance(document, dict) else None
        if not error and not isinstance(listed, dict):
            error, message = "malformed", 'the list has no "packs"'
        elif not error and not listed:
            error, message = "empty", "the list has no packs"
        usable = {name: entry for name, entry in (listed or {}).items() if isinstance(entry, dict)} if not error else {}
        fault = {"error": error} if error else {}
        status.append({"url": url, "packs": len(usable), "message": message or "Success.", **fault})
        for name, entry in usable.items():
            packs.setdefault(str(name), entry)
    return PackIndex(packs, status)


def search(packs: Mapping[str, Mapping[str, Any]], words: str) -> list[dict[str, Any]]:
    """Returns the packs that have the text in any field except `repo_url` and `email`: first those with it in their
    names, then in their keywords, then the others."""
    text = words.lower()
    matches: list[tuple[int, str, dict[str, Any]]] = []
    for name, entry in packs.items():
        values = {key: str(value).lower() for key, value in entry.items() if key not in _NOT_SEARCHED}
        if text in name.lower() or text in values.get("name", ""):
            rank = 0
        elif text in values.get("keywords", ""):
            rank = 1
        elif any(text in value for value in values.values()):
            rank = 2
        else:
            continue
        matches.append((rank, name, dict(entry)))
    return [entry for _, _, entry in sorted(matches, key=lambda each: each[:2])]


def health(index: PackIndex) -> dict[str, Any]:
    """Returns the health of the lists in the form of StackStorm's API."""
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
