"""Lists of packs, fetched: each from its URL or file; one that is bad does not fail the others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from squall.core.content.pack_index import PackIndex, merge
from squall.core.errors import InvalidError

_TIMEOUT = 20.0
_LARGEST = 64 << 20


def fetch_index(urls: Sequence[str]) -> PackIndex:
    """All packs of all lists, and how it went with each of them; the first list that has a pack wins."""
    return merge([(url, *_fetched(url)) for url in urls])


def _fetched(url: str) -> tuple[Any, str, str]:
    """What is at a URL, and why it could not be had: a kind of StackStorm's (`unresponsive`, …) and a text."""
    try:
        data = _read(url)
    except (OSError, ValueError, InvalidError) as error:
        reason = f"HTTP status {error.code}" if isinstance(error, urllib.error.HTTPError) else str(error)
        return None, "unresponsive", f"{type(error).__name__}: {reason}"
    try:
        return json.loads(data), "", ""
    except (ValueError, RecursionError) as error:
        return None, "malformed", f"{type(error).__name__}: {error}"


def _read(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        path = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else Path(url).expanduser()
        return path.read_bytes()
    request = urllib.request.Request(url, headers={"User-Agent": "squall"})  # noqa: S310 - http(s) only
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:  # noqa: S310 - as above
        data: bytes = reply.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise InvalidError(f"the list is larger than {_LARGEST} bytes")
    return data
