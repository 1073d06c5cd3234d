"""The paths of requests. Only this module puts names and ids from outside into paths."""

from __future__ import annotations

from urllib.parse import quote

from squall.core.errors import InvalidError

_NOUNS = {
    "executions": "the id of an execution",
    "inquiries": "the id of an inquiry",
    "actions": "the reference of an action",
    "rules": "the reference of a rule",
    "silences": "the id of a silence",
    "packs": "the reference of a pack",
    "keys": "the name of a key",
    "webhooks": "the URL of a webhook",
    "deliveries": "the id of a delivery",
    "timers": "the reference or id of a timer",
}
_WITH_SLASHES = ("keys", "webhooks")


def path_of(collection: str, name: str, *subpath: str) -> str:
    """Returns the path of one object, such as `/executions/<id>/output` for ("executions", id, "output").

    Raises `InvalidError` for an empty `name`, which would name the whole collection. Raises it also for a name that a
    server or a proxy reads as another path: one with a control character, `.` and `..`, also between slashes. Only
    names of keys and URLs of webhooks have slashes.
    """
    noun = _NOUNS.get(collection, f"a name in {collection}")
    if not name.strip():
        raise InvalidError(f"{noun} is missing: an empty text was given. Is a variable not set?")
    has_slashes = "/" in name and collection not in _WITH_SLASHES
    if has_slashes or not name.isprintable() or not {".", ".."}.isdisjoint(name.split("/")):
        allowed = "control characters" if collection in _WITH_SLASHES else "slashes and control characters"
        raise InvalidError(f'{name!r:.80} cannot be {noun}: {allowed} are not allowed, nor the names "." and ".."')
    try:
        segment = quote(name, safe="")
    except UnicodeEncodeError:
        raise InvalidError(f"{name!r:.80} cannot be {noun}: it is not valid UTF-8") from None
    return "/".join(["", collection, segment, *subpath])
