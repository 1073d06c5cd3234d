"""The `notify` section of an action or a request: whom to tell of an end, and what. The form is StackStorm's."""

from __future__ import annotations

from typing import Any

from squall.core.errors import InvalidError

SECTIONS = ("on-complete", "on-success", "on-failure")
_LISTS = ("routes", "channels")


def checked_notify(given: Any) -> dict[str, Any]:
    """A `notify` section as it was given; nothing for null. Raises `InvalidError` that names the field."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidError(f"{given!r} is not of type 'object' (notify)")
    for name, section in given.items():
        if name not in SECTIONS:
            raise InvalidError(f"notify: {name!r} is none of {', '.join(SECTIONS)}")
        if not isinstance(section, dict):
            raise InvalidError(f"{section!r} is not of type 'object' (notify.{name})")
        _check_section(f"notify.{name}", section)
    return given


def _check_section(where: str, section: dict[str, Any]) -> None:
    for field, value in section.items():
        if field in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise InvalidError(f"{value!r} is not a list of strings ({where}.{field})")
        elif field == "message":
            if not isinstance(value, str):
                raise InvalidError(f"{value!r} is not of type 'string' ({where}.{field})")
        elif field == "data":
            if not isinstance(value, dict):
                raise InvalidError(f"{value!r} is not of type 'object' ({where}.{field})")
        else:
            raise InvalidError(f"Additional properties are not allowed ({field!r} was unexpected) ({where})")
