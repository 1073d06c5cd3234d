"""Asterisks in requests. Documents have `********` for secrets, and clients send such documents back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from squall.core.access.secret import MASK
from squall.core.content.shown import SHOWN_VALUES
from squall.core.schema.walk import Place, mask_secrets


def restored(value: Any, masked: Any, old: Any) -> Any:
    """Returns `value` with the secrets of `old` in place of their asterisks.

    `masked` is `old` as clients see it. It identifies items of arrays by their visible parts. If asterisks may stand
    for more than one secret, they stay.
    """
    if value == MASK and masked == MASK:
        return old
    if isinstance(value, dict) and isinstance(masked, dict) and isinstance(old, dict):
        return {key: restored(item, masked.get(key), old.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(masked, list) and isinstance(old, list) and len(masked) == len(old):
        origins = _origins(value, masked, old)
        return [
            item if origin is None else restored(item, masked[origin], old[origin])
            for item, origin in zip(value, origins, strict=True)
        ]
    return value


def without_masks(value: Any, place: Place) -> Any:
    """Returns `value` without the secret properties that are `********` and have a default."""
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
    """Returns True and the value of a parameter, with the default's secrets in place of their asterisks. Returns
    (False, None) if the whole value stands for the default."""
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


def unknown_masks(sent: Any, masked: Any, original: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the dotted paths of asterisks in the schema `sent` that stand for no known secret.

    `original` is the schema with the secrets in place of the asterisks, `masked` is `original` as clients see it. If
    `masked` has such a value without asterisks, the schema no longer marks it secret.
    """
    if sent == MASK:
        is_known = original != MASK and masked == MASK
        if not is_known and not SHOWN_VALUES.isdisjoint(path):
            yield ".".join(path)
    elif isinstance(sent, dict | list):
        for key, below in sent.items() if isinstance(sent, dict) else enumerate(sent):
            yield from unknown_masks(below, _part(masked, key), _part(original, key), (*path, str(key)))


def _part(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None


def has_mask(value: Any) -> bool:
    """Returns True if `value` has `********` at any depth."""
    if isinstance(value, dict | list):
        return any(has_mask(item) for item in (value.values() if isinstance(value, dict) else value))
    return bool(value == MASK)


def _stands_for_default(value: Any, place: Place) -> bool:
    return bool(value == MASK) and place.secret and place.default()[0]


def _origins(value: Sequence[Any], masked: Sequence[Any], old: Sequence[Any]) -> list[int | None]:
    """Returns, for each item of `value`, the index of its old item: one that looks the same, else the one at its index;
    None if there is none."""
    origins: list[int | None] = [None] * len(value)
    free = set(range(len(old)))
    for index, item in enumerate(value):
        if index in free and masked[index] == item and (len(value) == len(old) or not _rivals(item, masked, old)):
            origins[index] = index
            free.discard(index)
    for index, item in enumerate(value):
        alike = [each for each in sorted(free) if masked[each] == item]
        if origins[index] is None and alike and not _rivals(item, masked, old):
            origins[index] = alike[0]
            free.discard(alike[0])
    for index in range(len(value)):
        if origins[index] is None and index in free and len(value) == len(old):
            origins[index] = index
    return origins


def _rivals(item: Any, masked: Sequence[Any], old: Sequence[Any]) -> bool:
    """Returns True if old items that look like this one have different secrets."""
    alike = [each for each, look in zip(old, masked, strict=True) if look == item]
    return any(each != alike[0] for each in alike[1:])
