"""Keys of the datastore: values that actions, parameters and people share, by scope and name.

Scopes and documents are StackStorm's: all users share the keys of `st2kv.system`; a key of `st2kv.user` belongs to one
user. Values are texts; secret values are stored as ciphertext.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
"""The maximum length of a name in characters."""

FIELDS = frozenset(
    {"id", "uid", "scope", "name", "value", "secret", "encrypted", "expire_timestamp", "description", "user"}
)
"""The attributes that a key's document may have."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `value` is a text, or ciphertext (upper-case hex) if `secret`; `user` is empty in the system scope;
    `expires` is the time of its end (µs since 1970; None: never)."""

    id: str
    scope: str
    user: str
    name: str
    value: str
    secret: bool = False
    expires: int | None = None


class KeyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter of a list of keys in one scope (and of one user). Keys that have expired at `now` (µs) do not
    match."""

    scope: str
    user: str
    now: int
    prefix: str | None = None
    name: str | None = None
    ids: tuple[str, ...] | None = None
    by_name: bool = False
    descending: bool = False


def full_scope(scope: str | None, *, writing: bool = False) -> str:
    """Returns the full name of a scope; the system's if `scope` is empty. Raises `InvalidError` in StackStorm's
    words."""
    if not scope:
        return SYSTEM
    known_scope = _SCOPES.get(scope)
    if known_scope is None:
        full = scope if scope.startswith("st2kv.") else f"st2kv.{scope}"
        if writing:
            raise InvalidError(f"Scope {full} is not in allowed scopes list: {_ALLOWED}.")
        raise InvalidError(f"Invalid scope: {full}")
    return known_scope


def check_name(name: str) -> None:
    """Raises `InvalidError` if `name` cannot be a key's name."""
    if not name or len(name) > MOST_NAME or "\0" in name:
        raise InvalidError(f"name: a key's name has 1 to {MOST_NAME} characters, none of them NUL")


def document(key: Key, value: str | None = None) -> dict[str, Any]:
    """Returns the key as the API shows it. `value` is the decrypted value, if the client may see it."""
    owner = f"{key.user}:" if key.scope == USER else ""
    attributes: dict[str, Any] = {
        "uid": f"key_value_pair:{key.scope}:{owner}{key.name}",
        "scope": key.scope,
        "name": key.name,
        "value": key.value if value is None else value,
        "secret": key.secret,
    }
    if key.expires is not None:
        attributes["expire_timestamp"] = to_iso(key.expires)
    attributes["id"] = key.id
    if key.scope == USER:
        attributes["user"] = key.user
    attributes["encrypted"] = key.secret and value is None
    return attributes


class KeyNames:
    """The value of `st2kv.system` and `st2kv.user` in a template. Attributes and items form names, also with dots. As
    text, a name is the value of its key, empty if there is no such key; a scope without a name raises `TypeError`."""

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

    @property
    def _value(self) -> str:
        return self._values.get(self._name, "")

    def __str__(self) -> str:
        if not self._name:
            raise TypeError("st2kv: a scope has no value; add the name of a key, such as st2kv.system.name")
        return self._value

    def __iter__(self) -> Iterator[str]:
        # Without it, Python would ask for the items 0, 1, 2, … for ever.
        return iter(str(self))

    def __repr__(self) -> str:
        # A template that makes a text of a list or an object of keys must not show this class.
        return repr(str(self))

    def __html__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, KeyNames) else other)

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> int:
        return len(str(self))

    def __int__(self) -> int:
        return int(str(self))

    def __float__(self) -> float:
        return float(str(self))

    def __contains__(self, part: object) -> bool:
        return isinstance(part, str) and part in str(self)


def key_text(names: KeyNames) -> str | None:
    """Returns the value of the key that `names` is the name of; None if there is no such key.

    It is no method: every attribute of `KeyNames` is the name of a key.
    """
    return names._values.get(names._name)


_REFERENCE = re.compile(r"\bst2kv\b")


def mentions_keys(value: Any) -> bool:
    """Returns True if a text in a JSON value may name keys. If not, the caller need not read them."""
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, dict):
        return any(mentions_keys(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(mentions_keys(item) for item in value)
    return False
