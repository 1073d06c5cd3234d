"""Secret values: a type that refuses to be shown, the mask, and the form sealed values have in documents.

Only the standard library may be imported here. Encrypting is an adapter's work; this file only knows the shape of
its result, `{"$sealed": "<envelope>"}`, which stands in a document where the secret value stood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

MASK = "********"
SEALED = "$sealed"


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


def is_sealed(value: Any) -> bool:
    """Whether `value` is a sealed envelope as it stands in a document."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(SEALED), str)


def replace_sealed(value: Any, replacement: Callable[[str], Any]) -> Any:
    """`value` (any JSON value) with every sealed envelope in it replaced by `replacement(envelope)`."""
    if is_sealed(value):
        return replacement(value[SEALED])
    if isinstance(value, dict):
        return {key: replace_sealed(item, replacement) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_sealed(item, replacement) for item in value]
    return value


def masked(value: Any) -> Any:
    """`value` with `********` wherever a secret was sealed."""
    return replace_sealed(value, lambda _: MASK)
