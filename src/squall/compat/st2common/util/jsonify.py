"""JSON, as packs import it. Standard library only, Python 3.8."""

from __future__ import annotations

import json

__all__ = ["json_decode", "json_encode", "json_loads"]


def json_encode(obj, indent=None, sort_keys=False):
    """The object as JSON text."""
    separators = None if indent else (",", ":")
    return json.dumps(obj, indent=indent, sort_keys=sort_keys, separators=separators, ensure_ascii=False)


def json_decode(data):
    """The object in a JSON text or bytes."""
    return json.loads(data)


def json_loads(obj, keys=None):
    """The dict with the values of `keys` (all if None) decoded where they are JSON texts."""
    for key in keys or list(obj):
        try:
            obj[key] = json.loads(obj[key])
        except (KeyError, TypeError, ValueError):
            continue
    return obj
