"""What came from a secret stays one: which parameters were rendered from secrets, and from which.

A value made from secrets is sealed as a whole, together with those secrets: an action may print a part of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from squall.core.schema.walk import mapped, place_of

_VALUE = "$value"
_FROM = "$from"


class Taint:
    """Watches one binding of parameters. Whoever opens a secret for a template tells `open`."""

    def __init__(self) -> None:
        self._opened: list[Any] = []
        self._of: dict[str, list[Any]] = {}

    def open(self, secret: Any) -> None:
        """A template has been given the plain text of a secret."""
        self._opened.append(secret)

    def mark(self) -> int:
        """How many secrets have been opened so far, for `since`."""
        return len(self._opened)

    def opened_since(self, mark: int) -> list[Any]:
        """The secrets that have been opened since `mark`."""
        return self._opened[mark:]

    def only(self, name: str, secrets: list[Any]) -> None:
        """What is called `name` now was made from these secrets, whatever had that name before."""
        self._of[name] = []
        self._add(name, secrets)

    def since(self, name: str, mark: int) -> None:
        """Parameter `name` was rendered with what has been opened since `mark`."""
        self._add(name, self._opened[mark:])

    def inherit(self, name: str, source: str, value: Any, schema: Any) -> None:
        """Parameter `name` was rendered with parameter `source`, which has this `value` and `schema`."""
        self._add(name, self._of.get(source, ()))
        self._add(name, secrets_of(value, schema))

    def hold(self, name: str, secrets: Iterable[Any]) -> None:
        """Parameter `name` was made from these secrets before."""
        self._add(name, secrets)

    def of(self, name: str) -> list[Any]:
        """The secrets that parameter `name` was made from; empty if there are none."""
        return list(self._of.get(name, ()))

    def all(self) -> list[Any]:
        """Every secret that has been seen."""
        return [*self._opened, *(secret for found in self._of.values() for secret in found)]

    def _add(self, name: str, secrets: Iterable[Any]) -> None:
        for secret in secrets:
            known = self._of.setdefault(name, [])
            if secret not in known:
                known.append(secret)


def secrets_of(value: Any, schema: Any) -> list[Any]:
    """What of a value its JSON schema marks `secret: true`."""
    secrets: list[Any] = []
    mapped(value, place_of(schema), secrets.append)
    return secrets


def enclose(value: Any, secrets: list[Any], seal: Callable[[Any], str]) -> str:
    """The envelope of a value and of the secrets it was made from."""
    return seal({_VALUE: value, _FROM: secrets})


def enclose_alone(secret: Any, seal: Callable[[Any], str]) -> str:
    """The envelope of a secret value that was made from no other."""
    return enclose(secret, [], seal) if _is_enclosed(secret) else seal(secret)


def disclose(opened: Any) -> tuple[Any, list[Any]]:
    """What was in an envelope: the value, and the secrets it was made from (none for what is simply secret)."""
    if _is_enclosed(opened):
        return opened[_VALUE], list(opened[_FROM])
    return opened, []


def _is_enclosed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_VALUE, _FROM}
