"""`squall user`: the users who may log in, in the server's file of passwords. It needs no running server."""

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
    "add": "Add a user who may log in; a running server knows at once.",
    "passwd": "Give a user another password.",
    "remove": "Take a user away; the user's tokens end with it.",
    "list": "The users who may log in.",
}


def users(arguments: list[str]) -> int:
    """Runs `squall user …`; gives the exit status. Raises `SquallError`."""
    parser = Parser(prog="squall user", description="The users who may log in.")
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
    known = read(path)
    if args.verb == "list":
        print("\n".join(sorted(known)) or f"no users in {path}")
        return 0
    print(_changed(args, path, known))
    return 0


def _changed(args: argparse.Namespace, path: Path, known: dict[str, str]) -> str:
    """Does what is asked; what to say about it. Raises `SquallError`."""
    user = args.user
    if args.verb == "add":
        check_user(user)
        if user in known:
            raise ConflictError(f"user {user!r} is there already: `squall user passwd {user}` changes the password")
        said = f"added {user} to {path}"
    elif user not in known:
        raise NotFoundError(f"there is no user {user!r} in {path}")
    elif args.verb == "remove":
        del known[user]
        said = f"removed {user} from {path}"
    else:
        said = f"changed the password of {user}"
    if args.verb != "remove":
        known[user] = hashed(read_password(args.password_stdin))
    write(path, known)
    return said
