"""The `notify` section of an action or a request: receivers and texts of notifications. The form is StackStorm's."""

from __future__ import annotations

from typing import Any

from squall.core.errors import InvalidError

SECTIONS = ("on-complete", "on-success", "on-failure")
_LISTS = ("routes", "channels")


def checked_notify(notify: Any) -> dict[str, Any]:
    """Checks a `notify` section and returns it; empty for null. Raises `InvalidError` that names the field."""
    if notify is None:
        return {}
    if not isinstance(notify, dict):
        raise InvalidError(f"{notify!r} is not of type 'object' (notify)")
    for name, section in notify.items():
        if name not in SECTIONS:
            raise InvalidError(f"notify: {name!r} is none of {', '.join(SECTIONS)}")
        if not isinstance(section, dict):
            raise InvalidError(f"{section!r} is not of type 'object' (notify.{name})")
        _check_section(f"notify.{name}", section)
    return notify


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
