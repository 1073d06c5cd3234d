"""`squall user`: manages the users in the server's password file. It needs no running server."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from squall import config
from squall.adapters.htpasswd import check_user, hashed, read, write
from squall.cli.access.login import read_password
from squall.cli.terminal.parser import Parser
from squall.core.errors import ConflictError, NotFoundError

_SUMMARIES = {
    "add": "Add a user who may log in; a running server accepts the user at once.",
    "passwd": "Change a user's password.",
    "remove": "Remove a user; the user's tokens become invalid.",
    "list": "List the users who may log in.",
}


def users(arguments: list[str]) -> int:
    """Runs `squall user …`. Returns the exit status. Raises `SquallError`."""
    parser = Parser(prog="squall user", description="Manage the users who may log in.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(_SUMMARIES))
    for name, summary in _SUMMARIES.items():
        verb = verbs.add_parser(name, description=summary, help=summary)
        verb.add_argument("--data-dir", metavar="DIR", help="the server's data (default ~/.squall)")
        verb.add_argument("--config", metavar="FILE", help="TOML file of settings")
        if name != "list":
            verb.add_argument("user", help="the user's name")
        if name in ("add", "passwd"):
            verb.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    args = parser.parse_args(arguments)
    settings = config.load(config.flags_from(args), os.environ).settings
    path = settings.server.data_dir / settings.auth.htpasswd
    hashes = read(path)
    if args.verb == "list":
        print("\n".join(sorted(hashes)) or f"no users in {path}")
        return 0
    print(_change(args, path, hashes))
    return 0


def _change(args: argparse.Namespace, path: Path, hashes: dict[str, str]) -> str:
    """Adds, changes or removes a user. Returns the message for the terminal. Raises `SquallError`."""
    user = args.user
    if args.verb == "add":
        check_user(user)
        if user in hashes:
            raise ConflictError(f"user {user!r} exists already: `squall user passwd {user}` changes the password")
        message = f"added {user} to {path}"
    elif user not in hashes:
        raise NotFoundError(f"user {user!r} does not exist in {path}: `squall user add {user}` adds the user")
    elif args.verb == "remove":
        del hashes[user]
        message = f"removed {user} from {path}"
    else:
        message = f"changed the password of {user}"
    if args.verb != "remove":
        hashes[user] = hashed(read_password(args.password_stdin))
    write(path, hashes)
    return message
