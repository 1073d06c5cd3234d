"""Secret values: a type that refuses to be shown, the mask, and sealed values in documents and in stored JSON.

Only the standard library may be imported here. Encrypting is an adapter's work. Its result, an envelope, stands in a
document as an object of the class `Sealed`. JSON and YAML from outside never become one: whatever a client, an action
or a trigger sends stays plain data. Stored JSON has `{"$sealed": "<envelope>"}` for it, and plain data that looks like
that is escaped with one more `$`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

MASK = "********"
_KEY = "$sealed"


class Secret:
    """A value that must not be shown: printing gives the mask, encoding it fails; `reveal` is the only way in."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def reveal(self) -> Any:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not to be encoded; reveal() it where it is needed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._value

    __hash__ = None  # type: ignore[assignment]


class Sealed:
    """A secret value in a document, encrypted: `envelope` is what the vault made of it."""

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
    """`value` as JSON that `from_stored` reads again: sealed values have the form `{"$sealed": "<envelope>"}`, and of
    plain objects with that form the key gets one more `$`."""
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
    """What an encoder of JSON writes for a sealed value. Raises `TypeError` for all else that it does not know."""
    if not isinstance(value, Sealed):
        raise TypeError(f"{type(value).__name__} is no type of JSON")
    return {_KEY: value.envelope}


def shown_form(value: Any) -> str:
    """What an encoder of JSON for clients writes for a sealed value. Raises `TypeError` for all else that it does not
    know."""
    if not isinstance(value, Sealed):
        raise TypeError(f"{type(value).__name__} is no type of JSON")
    return MASK


def from_stored(value: Any) -> Any:
    """The document that `to_stored` has made `value` of."""
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
    """Whether `to_stored` and `from_stored` may change anything in a value with this JSON text."""
    return f'{_KEY}"' in text


def _is_key(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(_KEY) and not name.removesuffix(_KEY).strip("$")


def replace_sealed(value: Any, replacement: Callable[[str], Any]) -> Any:
    """`value` (any JSON value) with every sealed value in it replaced by `replacement(envelope)`."""
    if isinstance(value, Sealed):
        return replacement(value.envelope)
    if isinstance(value, dict):
        return {key: replace_sealed(item, replacement) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_sealed(item, replacement) for item in value]
    return value


def masked(value: Any) -> Any:
    """`value` with `********` wherever a secret was sealed."""
    return replace_sealed(value, lambda _: MASK)
