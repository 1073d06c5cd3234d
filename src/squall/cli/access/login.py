"""`squall login|whoami|logout`: the log-in to a server with authentication."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from squall.cli.terminal import exits
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target, read_tokens, write_tokens
from squall.cli.terminal.verb import Verb
from squall.core.errors import InvalidError


def _configure_login(parser: ArgumentParser) -> None:
    parser.add_argument("user", help="the user's name")
    parser.add_argument("--ttl", type=int, metavar="S", help="lifetime of the token in seconds (default: the server's)")
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input instead of asking for it"
    )
    parser.epilog = "The token is stored in ~/.config/squall/tokens.json (mode 0600), by the server's address."


def read_password(from_stdin: bool) -> str:
    """Returns the password: a line of standard input, or the answer to a prompt on a terminal. Raises `InvalidError` if
    it is empty."""
    if from_stdin or not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\n")
    else:
        from getpass import getpass

        password = getpass("Password: ")
    if not password:
        raise InvalidError("the password is missing: type it at the prompt, or pipe it with --password-stdin")
    return password


def _login(args: Namespace, target: Target) -> int:
    url = target.find_url()
    password = read_password(args.password_stdin)
    with target.api() as api:
        token = api.login(args.user, password, args.ttl)
    write_tokens(target.token_file, {**read_tokens(target.token_file), url: token["token"]})
    print(f"logged in as {token['user']} until {token['expiry']}")
    return exits.OK


def _configure_whoami(parser: ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _whoami(args: Namespace, target: Target) -> int:
    with target.api() as api:
        user = api.whoami()
    if args.json:
        print(dump(user))
    else:
        authentication = user["authentication"]
        until = f" until {authentication['token_expire']}" if "token_expire" in authentication else ""
        rights = ", an administrator" if user["rbac"]["is_admin"] else ""
        print(f"{user['username']}{rights} (by {authentication['method']}{until})")
    return exits.OK


def _configure_logout(parser: ArgumentParser) -> None:
    parser.epilog = "Streams that were opened with the token end."


def _logout(args: Namespace, target: Target) -> int:
    url = target.find_url()
    tokens = read_tokens(target.token_file)
    if url not in tokens:
        print(f"not logged in to {url}", file=sys.stderr)
        return exits.OK
    token = tokens.pop(url)
    write_tokens(target.token_file, tokens)
    with target.api() as api:
        from squall.client.api import Api
        from squall.core.errors import UnauthorizedError

        try:
            Api(api.client.with_credentials({"X-Auth-Token": token})).logout()
        except UnauthorizedError:
            pass  # The token had expired or was revoked before.
    print(f"logged out of {url}")
    return exits.OK


VERBS = {
    "login": Verb(_configure_login, _login),
    "whoami": Verb(_configure_whoami, _whoami),
    "logout": Verb(_configure_logout, _logout),
}
