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
    """Prints the state of the server. Returns exit status 3 if no server runs."""
    holder = Holder.of(target.directory)
    if args.json:
        info = holder.info if holder else {}
        print(dump({**info, "running": holder is not None, "data_dir": str(target.directory)}))
    elif holder is None:
        print(f"not running (data directory {target.directory})")
    elif not holder.info:
        print(f"running as process {holder.pid or '?'}, but not ready (data directory {target.directory})")
    else:
        info = {name: cell(value) for name, value in holder.info.items()}
        print(
            f"running as process {holder.pid or '?'} at {info.get('url')}, version {info.get('version')}, "
            f"since {info.get('started_at')} (data directory {target.directory})"
        )
    return exits.OK if holder else exits.NOT_RUNNING


def _configure_stop(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for its end (default: 60)"
    )


def _stop(args: Namespace, target: Target) -> int:
    """Stops the server; if none runs, that is no failure. Raises `UnavailableError` if it has not ended in time."""
    directory = target.directory
    holder = Holder.of(directory)
    if holder is None:
        print(f"no server runs in {directory}", file=sys.stderr)
        return exits.OK
    if holder.pid is None:
        raise ConfigError(
            f"a process holds {directory / 'server.lock'}, but the file has no process id: find it with fuser or lsof"
        )
    try:
        os.kill(holder.pid, signal.SIGTERM)
    except PermissionError:
        raise ConfigError(f"process {holder.pid} belongs to another user: stop it as that user") from None
    except ProcessLookupError:
        pass
    if sys.stderr.isatty():
        print(f"stopping process {holder.pid}; running actions get time to finish", file=sys.stderr)
    deadline = time.monotonic() + args.timeout
    # 0: the server has removed its id from the file already, but still holds the lock.
    while lock_holder(directory) in (holder.pid, 0):
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"process {holder.pid} has not ended after {args.timeout:g} seconds: wait longer with --timeout, "
                "or see squall logs"
            )
        time.sleep(_CHECK_EVERY)
    print("stopped")
    return exits.OK


def _configure_env(parser: ArgumentParser) -> None:
    parser.epilog = 'Use it like this: eval "$(squall env)"'


def _env(args: Namespace, target: Target) -> int:
    """Prints the lines for the st2 client. Raises `ConfigError` if no server runs, or it is not ready."""
    holder = Holder.of(target.directory)
    if holder is None:
        raise ConfigError(no_server(f"in {target.directory}", target.data_dir))
    missing = [key for _, key in _EXPORTED if not isinstance(holder.info.get(key), str)]
    if missing:
        raise ConfigError(f"the server in {target.directory} is not ready: try again in a moment")
    for name, key in _EXPORTED:
        print(f"export {name}={shlex.quote(holder.info[key])}")
    return exits.OK


VERBS = {
    "status": Verb(_configure_status, _status),
    "stop": Verb(_configure_stop, _stop),
    "env": Verb(_configure_env, _env),
}
