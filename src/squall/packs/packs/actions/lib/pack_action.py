"""Actions that install: they run in the server's own interpreter, and print as they go."""

import functools
import os
import sys

from squall_service import ApiError, call
from st2common.runners.base_action import Action

from squall.adapters.installing.packs import Packs
from squall.adapters.installing.places import from_environment
from squall.core.errors import SquallError

_PATIENCE = 600


def told(run):
    """`run` of an action, whose `SquallError` is told in a sentence, without a traceback."""

    @functools.wraps(run)
    def wrapped(*args, **kwargs):
        try:
            return run(*args, **kwargs)
        except SquallError as error:
            print(error, file=sys.stderr, flush=True)
            return False, str(error)

    return wrapped


class PackAction(Action):
    """An action with `packs`, which install, and `call`, which asks the server."""

    def __init_subclass__(cls):
        cls.run = told(cls.run)

    def packs(self, env=None, installation=None):
        """`squall.adapters.installing.packs.Packs`, with these variables for what it runs."""
        given = {name: str(value) for name, value in (env or {}).items()}
        return Packs(from_environment(), {**os.environ, **given}, dict(self.config or {}), installation or "")

    def call(self, method, path, body=None, missing=False):
        """The answer of the server's API; ends the action with its words where it refuses. With `missing`, what is
        not there is no error, but None."""
        try:
            return call(method, path, body=body, timeout=_PATIENCE)
        except ApiError as error:
            if missing and error.status == 404:
                return None
            sys.exit(f"{method} {path}: {error}")
