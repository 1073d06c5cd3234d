"""Taint: a value that was rendered from secrets is secret. A `Taint` records the secrets in each parameter.

A value with secrets in it is sealed as a whole, together with those secrets: an action may print a part of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from squall.core.schema.walk import mapped, place_of

_VALUE = "$value"
_FROM = "$from"


class Taint:
    """Records the secrets in the parameters of one binding. Code that opens a secret for a template calls `open`."""

    def __init__(self) -> None:
        self._opened: list[Any] = []
        self._of: dict[str, list[Any]] = {}

    def open(self, secret: Any) -> None:
        """Notes that a template got the plain text of a secret."""
        self._opened.append(secret)

    def mark(self) -> int:
        """Returns the number of secrets opened so far, for `since`."""
        return len(self._opened)

    def opened_since(self, mark: int) -> list[Any]:
        """Returns the secrets that were opened since `mark`."""
        return self._opened[mark:]

    def only(self, name: str, secrets: list[Any]) -> None:
        """Notes that the value now called `name` contains these secrets only; forgets those of an earlier value."""
        self._of[name] = []
        self._add(name, secrets)

    def since(self, name: str, mark: int) -> None:
        """Notes that parameter `name` was rendered with the secrets opened since `mark`."""
        self._add(name, self._opened[mark:])

    def inherit(self, name: str, source: str, value: Any, schema: Any) -> None:
        """Notes that parameter `name` was rendered with parameter `source`, which has this `value` and `schema`."""
        self._add(name, self._of.get(source, ()))
        self._add(name, secrets_of(value, schema))

    def hold(self, name: str, secrets: Iterable[Any]) -> None:
        """Notes that parameter `name` contains these secrets from an earlier binding."""
        self._add(name, secrets)

    def of(self, name: str) -> list[Any]:
        """Returns the secrets in parameter `name`; empty if there are none."""
        return list(self._of.get(name, ()))

    def all(self) -> list[Any]:
        """Returns every recorded secret."""
        return [*self._opened, *(secret for secrets in self._of.values() for secret in secrets)]

    def _add(self, name: str, secrets: Iterable[Any]) -> None:
        for secret in secrets:
            recorded = self._of.setdefault(name, [])
            if secret not in recorded:
                recorded.append(secret)


def secrets_of(value: Any, schema: Any) -> list[Any]:
    """Returns the parts of a value that its JSON schema marks `secret: true`."""
    secrets: list[Any] = []
    mapped(value, place_of(schema), secrets.append)
    return secrets


def enclose(value: Any, secrets: list[Any], seal: Callable[[Any], str]) -> str:
    """Returns the envelope of a value and of the secrets in it."""
    return seal({_VALUE: value, _FROM: secrets})


def enclose_alone(secret: Any, seal: Callable[[Any], str]) -> str:
    """The envelope of a secret value that was made from no other."""
    return enclose(secret, [], seal) if _is_enclosed(secret) else seal(secret)


def disclose(opened: Any) -> tuple[Any, list[Any]]:
    """Returns the content of an opened envelope: the value, and the secrets in it (none if the value itself is the
    secret)."""
    if _is_enclosed(opened):
        return opened[_VALUE], list(opened[_FROM])
    return opened, []


def _is_enclosed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_VALUE, _FROM}
