"""Asterisks that clients send back: documents show secrets as `********`, and forms return what they were shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from squall.core.access.secret import MASK
from squall.core.content.shown import SHOWN_VALUES
from squall.core.schema.walk import Place, mask_secrets


def restored(value: Any, shown: Any, old: Any) -> Any:
    """Returns `value` with the parts of `old` in place of the asterisks that stand for them in `shown`.

    `shown` is `old` as clients see it. Items of arrays are recognized by what is shown of them; if more than one
    secret could be meant, the asterisks stay.
    """
    if value == MASK and shown == MASK:
        return old
    if isinstance(value, dict) and isinstance(shown, dict) and isinstance(old, dict):
        return {key: restored(item, shown.get(key), old.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(shown, list) and isinstance(old, list) and len(shown) == len(old):
        origins = _origins(value, shown, old)
        return [
            item if origin is None else restored(item, shown[origin], old[origin])
            for item, origin in zip(value, origins, strict=True)
        ]
    return value


def without_masks(value: Any, place: Place) -> Any:
    """Returns `value` without the properties that are `********` if they are secret and have a default."""
    if isinstance(value, dict) and not place.secret:
        return {
            key: without_masks(item, place.property(key))
            for key, item in value.items()
            if not _stands_for_default(item, place.property(key))
        }
    if isinstance(value, list) and not place.secret:
        return [without_masks(item, place.item(index)) for index, item in enumerate(value)]
    return value


def given_parameter(value: Any, schema: dict[str, Any], place: Place) -> tuple[bool, Any]:
    """Whether a parameter is given at all, and its value with the default's secrets in place of their asterisks."""
    if not place.has_secrets:
        return True, value
    if _stands_for_default(value, place):
        return False, None
    default = schema.get("default")
    return True, without_masks(restored(value, mask_secrets(default, place), default), place)


def masks_left(value: Any, place: Place, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the dotted paths of secret parts that are `********` themselves."""
    if place.secret:
        if value == MASK:
            yield ".".join(path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from masks_left(item, place.property(key), (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from masks_left(item, place.item(index), (*path, str(index)))


def unknown_masks(sent: Any, shown: Any, kept: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the dotted paths of asterisks in a schema that was `sent` and that nothing can stand for.

    `kept` is the schema with what they stood for, `shown` is how clients would see it: if it shows the value that an
    asterisk stood for, the schema no longer marks it secret.
    """
    if sent == MASK:
        is_known = kept != MASK and shown == MASK
        if not is_known and not SHOWN_VALUES.isdisjoint(path):
            yield ".".join(path)
    elif isinstance(sent, dict | list):
        for key, below in sent.items() if isinstance(sent, dict) else enumerate(sent):
            yield from unknown_masks(below, _part(shown, key), _part(kept, key), (*path, str(key)))


def _part(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None


def has_mask(value: Any) -> bool:
    """Whether `********` stands anywhere in `value`."""
    if isinstance(value, dict | list):
        return any(has_mask(item) for item in (value.values() if isinstance(value, dict) else value))
    return bool(value == MASK)


def _stands_for_default(value: Any, place: Place) -> bool:
    return bool(value == MASK) and place.secret and place.default()[0]


def _origins(value: Sequence[Any], shown: Sequence[Any], old: Sequence[Any]) -> list[int | None]:
    """For each new item, which old one it was: one that looks the same, else the one at its index."""
    origins: list[int | None] = [None] * len(value)
    free = set(range(len(old)))
    for index, item in enumerate(value):
        if index in free and shown[index] == item and (len(value) == len(old) or not _rivals(item, shown, old)):
            origins[index] = index
            free.discard(index)
    for index, item in enumerate(value):
        alike = [each for each in sorted(free) if shown[each] == item]
        if origins[index] is None and alike and not _rivals(item, shown, old):
            origins[index] = alike[0]
            free.discard(alike[0])
    for index in range(len(value)):
        if origins[index] is None and index in free and len(value) == len(old):
            origins[index] = index
    return origins


def _rivals(item: Any, shown: Sequence[Any], old: Sequence[Any]) -> bool:
    """Whether old items that look like this one differ in what is hidden."""
    alike = [each for each, look in zip(old, shown, strict=True) if look == item]
    return any(each != alike[0] for each in alike[1:])
