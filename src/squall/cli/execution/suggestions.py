"""Adds the name that was meant to the server's refusal of a mistyped action or parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from squall.cli.execution.described import schemas_of
from squall.cli.execution.parameters import assigned_names
from squall.client.api import Api
from squall.client.closest import closest
from squall.client.http import MissingError
from squall.client.suggestions import suggestion
from squall.core.errors import InvalidError, NotFoundError, SquallError


@contextmanager
def suggesting_action(api: Api, ref: str, words: Sequence[str] = ()) -> Iterator[None]:
    """Inside, a refusal by the server is raised with a suggestion, if `ref` is no action but is like one, or if
    `words` name a parameter that the action does not have."""
    try:
        yield
    except (InvalidError, NotFoundError) as error:
        try:
            message = _better(api, ref, words)
        except SquallError:
            message = None
        if message is None:
            raise
        raise type(error)(message) from error


def _better(api: Api, ref: str, words: Sequence[str]) -> str | None:
    """What the refusal should say; None if there is nothing to add to it."""
    try:
        action = api.action(ref)
    except MissingError as error:
        return suggestion(api, error)
    schemas = schemas_of(api, action)
    for name in assigned_names(words):
        if name not in schemas:
            meant = closest(name, schemas)
            known = f"did you mean {meant}?" if meant else f"squall run {ref} --help shows those it has"
            return f"{ref} has no parameter {name!r}; {known}"
    return None
