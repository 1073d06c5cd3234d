"""Actions that install: they run in the server's own interpreter, and print as they go."""

import functools
import json
import os
import sys
import urllib.error
import urllib.request

from st2common.runners.base_action import Action

from squall.core.errors import SquallError
from squall.installing.packs import Packs
from squall.installing.places import from_environment


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

    def packs(self, env=None):
        """`squall.installing.packs.Packs`, with these variables for what it runs."""
        given = {name: str(value) for name, value in (env or {}).items()}
        return Packs(from_environment(), {**os.environ, **given}, dict(self.config or {}))

    def call(self, method, path, body=None, missing=False):
        """The answer of the server's API; ends the action with its words where it refuses. With `missing`, what is
        not there is no error, but None."""
        headers = {"Content-Type": "application/json", "X-Auth-Token": os.environ.get("ST2_ACTION_AUTH_TOKEN", "")}
        request = urllib.request.Request(
            os.environ["ST2_ACTION_API_URL"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
        )
        try:
            # Never by a proxy: it is this machine.
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=600) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            if missing and error.code == 404:
                return None
            fault = json.loads(error.read() or b"{}").get("faultstring", str(error))
            sys.exit(f"{method} {path}: {fault}")
        return json.loads(text) if text else None
