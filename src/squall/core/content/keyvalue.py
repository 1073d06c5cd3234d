"""Keys of the datastore: values that actions, parameters and people share, by scope and name.

Scopes and documents are StackStorm's: `st2kv.system` is everybody's, `st2kv.user` one user's. Values are texts; a
secret one is kept as ciphertext.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.timestamp import to_iso

SYSTEM = "st2kv.system"
USER = "st2kv.user"
ALL = "all"
_SCOPES = {"system": SYSTEM, "user": USER, SYSTEM: SYSTEM, USER: USER}
_ALLOWED = ["system", "user", SYSTEM, USER]
MOST_NAME = 1024
"""The longest name, in characters."""

FIELDS = frozenset(
    {"id", "uid", "scope", "name", "value", "secret", "encrypted", "expire_timestamp", "description", "user"}
)
"""Every attribute a key's document may have."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `value` is a text, ciphertext (upper-case hex) if it is `secret`; `user` is empty in the system scope;
    `expires` is when it goes (µs since 1970; None: never)."""

    id: str
    scope: str
    user: str
    name: str
    value: str
    secret: bool = False
    expires: int | None = None


class KeyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys of one scope (and user) a list asks for; `now` (µs) decides which are no longer there."""

    scope: str
    user: str
    now: int
    prefix: str | None = None
    name: str | None = None
    ids: tuple[str, ...] | None = None
    by_name: bool = False
    descending: bool = False


def full_scope(scope: str | None, *, writing: bool = False) -> str:
    """The scope that a client means; without one it is the system's. Raises `InvalidError` in StackStorm's words."""
    if not scope:
        return SYSTEM
    found = _SCOPES.get(scope)
    if found is None:
        full = scope if scope.startswith("st2kv.") else f"st2kv.{scope}"
        if writing:
            raise InvalidError(f"Scope {full} is not in allowed scopes list: {_ALLOWED}.")
        raise InvalidError(f"Invalid scope: {full}")
    return found


def check_name(name: str) -> None:
    """Raises `InvalidError` for what cannot be a key's name."""
    if not name or len(name) > MOST_NAME or "\0" in name:
        raise InvalidError(f"name: a key's name has 1 to {MOST_NAME} characters, none of them NUL")


def document(key: Key, value: str | None = None) -> dict[str, Any]:
    """The key as the API shows it; `value` is the decrypted one, if it is to be shown."""
    owner = f"{key.user}:" if key.scope == USER else ""
    shown: dict[str, Any] = {
        "uid": f"key_value_pair:{key.scope}:{owner}{key.name}",
        "scope": key.scope,
        "name": key.name,
        "value": key.value if value is None else value,
        "secret": key.secret,
    }
    if key.expires is not None:
        shown["expire_timestamp"] = to_iso(key.expires)
    shown["id"] = key.id
    if key.scope == USER:
        shown["user"] = key.user
    shown["encrypted"] = key.secret and value is None
    return shown


class KeyNames:
    """What `st2kv.system` and `st2kv.user` are in a template: attributes and items lead to names, also such with dots,
    and a name that is written out is its value, or nothing if there is none."""

    __slots__ = ("_name", "_values")

    def __init__(self, values: Mapping[str, str], name: str = "") -> None:
        self._values = values
        self._name = name

    def __getattr__(self, name: str) -> KeyNames:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> KeyNames:
        return KeyNames(self._values, f"{self._name}.{name}" if self._name else str(name))

    def __str__(self) -> str:
        return self._values.get(self._name, "")

    def __html__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return str(self) == (str(other) if isinstance(other, KeyNames) else other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __bool__(self) -> bool:
        return bool(str(self))

    def __len__(self) -> int:
        return len(str(self))

    def __contains__(self, part: object) -> bool:
        return isinstance(part, str) and part in str(self)


_REFERENCE = re.compile(r"\bst2kv\b")


def mentions_keys(value: Any) -> bool:
    """Whether any text in a JSON value may name keys: only then they have to be looked up."""
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, dict):
        return any(mentions_keys(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(mentions_keys(item) for item in value)
    return False
