"""Fetches lists of packs from URLs or files. A bad list does not fail the others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from squall.adapters import reading
from squall.core.content.pack_index import PackIndex, merge
from squall.core.errors import InvalidError

_TIMEOUT = 20.0
_LARGEST = 64 << 20


def fetch_index(urls: Sequence[str]) -> PackIndex:
    """Returns the packs of all lists, and the status of each list. If several lists have a pack, the first one wins."""
    return merge([(url, *_fetch(url)) for url in urls])


def _fetch(url: str) -> tuple[Any, str, str]:
    """Returns the document at a URL, and its error: StackStorm's kind (`unresponsive`, …) and a text, both empty if
    there is none."""
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
        return reading.read_bytes(path)
    request = urllib.request.Request(url, headers={"User-Agent": "squall"})  # noqa: S310 - http(s) only
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:  # noqa: S310 - as above
        data: bytes = reply.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise InvalidError(f"the list is larger than {_LARGEST} bytes")
    return data
