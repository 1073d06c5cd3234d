"""`squall status|stop|env`: the server that holds a data directory."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from argparse import ArgumentParser, Namespace

from squall.cli.terminal import exits
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Holder, Target, lock_holder, no_server
from squall.cli.terminal.verb import Verb
from squall.core.errors import ConfigError, UnavailableError

_CHECK_EVERY = 0.05
_EXPORTED = (("ST2_API_URL", "api_url"), ("ST2_AUTH_URL", "auth_url"), ("ST2_STREAM_URL", "stream_url"))


def _configure_status(parser: ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _status(args: Namespace, target: Target) -> int:
    """Exit status 3 when no server runs."""
    found = Holder.of(target.directory)
    if args.json:
        told = found.told if found else {}
        print(dump({**told, "running": found is not None, "data_dir": str(target.directory)}))
    elif found is None:
        print(f"not running (data directory {target.directory})")
    elif not found.told:
        print(f"running as process {found.pid or '?'}, but not ready (data directory {target.directory})")
    else:
        told = {name: cell(value) for name, value in found.told.items()}
        print(
            f"running as process {found.pid or '?'} at {told.get('url')}, version {told.get('version')}, "
            f"since {told.get('started_at')} (data directory {target.directory})"
        )
    return exits.OK if found else exits.NOT_RUNNING


def _configure_stop(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how many seconds to wait for its end (default: 60)"
    )


def _stop(args: Namespace, target: Target) -> int:
    """Stopping what does not run is no failure. Raises `UnavailableError` when it has not ended in time."""
    directory = target.directory
    found = Holder.of(directory)
    if found is None:
        print(f"no server runs in {directory}", file=sys.stderr)
        return exits.OK
    if found.pid is None:
        raise ConfigError(f"{directory / 'server.lock'} is held by a process that it does not name")
    try:
        os.kill(found.pid, signal.SIGTERM)
    except PermissionError:
        raise ConfigError(f"process {found.pid} belongs to another user: stop it as that user") from None
    except ProcessLookupError:
        pass
    if sys.stderr.isatty():
        print(f"stopping process {found.pid}; running actions get some time to finish", file=sys.stderr)
    deadline = time.monotonic() + args.timeout
    # 0: it has taken its name out of the file already, but still holds it.
    while lock_holder(directory) in (found.pid, 0):
        if time.monotonic() >= deadline:
            raise UnavailableError(f"process {found.pid} has not ended after {args.timeout:g} seconds")
        time.sleep(_CHECK_EVERY)
    print("stopped")
    return exits.OK


def _configure_env(parser: ArgumentParser) -> None:
    parser.epilog = 'Use it like this: eval "$(squall env)"'


def _env(args: Namespace, target: Target) -> int:
    """Raises `ConfigError` when no server runs there or it is not ready."""
    found = Holder.of(target.directory)
    if found is None:
        raise ConfigError(no_server(f"in {target.directory}", target.data_dir))
    missing = [key for _, key in _EXPORTED if not isinstance(found.told.get(key), str)]
    if missing:
        raise ConfigError(f"the server in {target.directory} is not ready: try again in a moment")
    for name, key in _EXPORTED:
        print(f"export {name}={shlex.quote(found.told[key])}")
    return exits.OK


VERBS = {
    "status": Verb(_configure_status, _status),
    "stop": Verb(_configure_stop, _stop),
    "env": Verb(_configure_env, _env),
}
