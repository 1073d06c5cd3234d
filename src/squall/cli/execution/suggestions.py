"""Suggestions of the right name if the server refuses a mistyped action or parameter."""

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
    """Adds a suggestion to the server's refusal inside the `with` block: for a `ref` that is no action, and for a
    parameter in `words` that the action does not have."""
    try:
        yield
    except (InvalidError, NotFoundError) as error:
        try:
            message = _suggestion(api, ref, words)
        except SquallError:
            message = None
        if message is None:
            raise
        raise type(error)(message) from error


def _suggestion(api: Api, ref: str, words: Sequence[str]) -> str | None:
    """Returns a better message for the refusal; None if there is no suggestion."""
    try:
        action = api.action(ref)
    except MissingError as error:
        return suggestion(api, error)
    schemas = schemas_of(api, action)
    for name in assigned_names(words):
        if name not in schemas:
            match = closest(name, schemas)
            hint = f"did you mean {match}?" if match else f"squall run {ref} --help shows its parameters"
            return f"action {ref} has no parameter {name!r}; {hint}"
    return None
