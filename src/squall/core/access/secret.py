"""Secret values: a type that prints only a mask, the mask, and sealed values in documents and in stored JSON.

This module may import only the standard library. An adapter encrypts secrets. A document has the result, an envelope,
as an object of the class `Sealed`. JSON and YAML from outside never become such an object: data from a client, an
action or a trigger stays plain data. Stored JSON has `{"$sealed": "<envelope>"}` for it, and escapes plain data of this
form with one more `$`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

MASK = "********"
_KEY = "$sealed"


class Secret:
    """A secret value. It prints as the mask, and cannot be encoded; only `reveal` returns the value."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def reveal(self) -> Any:
        """Returns the value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be encoded; call reveal() for its value")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._value

    __hash__ = None  # type: ignore[assignment]


class Sealed:
    """An encrypted secret value in a document. `envelope` is the text from the vault."""

    __slots__ = ("envelope",)

    def __init__(self, envelope: str) -> None:
        self.envelope = envelope

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.envelope == self.envelope

    def __hash__(self) -> int:
        return hash(self.envelope)


def to_stored(value: Any) -> Any:
    """Returns `value` as JSON for `from_stored`. Sealed values get the form `{"$sealed": "<envelope>"}`; the key of a
    plain object with this form gets one more `$`."""
    if isinstance(value, Sealed):
        return sealed_form(value)
    if isinstance(value, dict):
        if len(value) == 1 and _is_key(name := next(iter(value))):
            return {f"${name}": to_stored(value[name])}
        return {key: to_stored(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_stored(item) for item in value]
    return value


def sealed_form(value: Any) -> dict[str, str]:
    """Returns the stored JSON of a sealed value, for an encoder's hook. Raises `TypeError` for other types."""
    if not isinstance(value, Sealed):
        raise TypeError(f"{type(value).__name__} is no type of JSON")
    return {_KEY: value.envelope}


def shown_form(value: Any) -> str:
    """Returns the mask for a sealed value, for the hook of an encoder for clients. Raises `TypeError` for other
    types."""
    if not isinstance(value, Sealed):
        raise TypeError(f"{type(value).__name__} is no type of JSON")
    return MASK


def from_stored(value: Any) -> Any:
    """Returns the document from which `to_stored` made `value`."""
    if isinstance(value, dict):
        if len(value) == 1 and _is_key(name := next(iter(value))):
            item = value[name]
            if name == _KEY:
                return Sealed(item) if isinstance(item, str) else {name: from_stored(item)}
            return {name[1:]: from_stored(item)}
        return {key: from_stored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_stored(item) for item in value]
    return value


def may_be_marked(text: str) -> bool:
    """Returns True if `to_stored` or `from_stored` may change a value with this JSON text."""
    return f'{_KEY}"' in text


def _is_key(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(_KEY) and not name.removesuffix(_KEY).strip("$")


def replace_sealed(value: Any, replacement: Callable[[str], Any]) -> Any:
    """Returns `value` (any JSON value) with `replacement(envelope)` in place of every sealed value."""
    if isinstance(value, Sealed):
        return replacement(value.envelope)
    if isinstance(value, dict):
        return {key: replace_sealed(item, replacement) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_sealed(item, replacement) for item in value]
    return value


def masked(value: Any) -> Any:
    """Returns `value` with `********` in place of every sealed value."""
    return replace_sealed(value, lambda _: MASK)
