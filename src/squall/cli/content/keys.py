"""`squall key list|get|set|delete|load`: commands for the datastore."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.core.errors import InvalidError


def _scoped(parser: ArgumentParser, *, every: bool = False) -> None:
    choices = ("system", "user", "all") if every else ("system", "user")
    parser.add_argument("--scope", choices=choices, default="all" if every else "system", help="the scope of the keys")


def _configure_list(parser: ArgumentParser) -> None:
    _scoped(parser, every=True)
    parser.add_argument("-p", "--prefix", help="only names with this prefix")
    parser.add_argument("-d", "--decrypt", action="store_true", help="show secret values")
    configure_list(parser, times=True)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        keys = list(api.keys(args.scope, prefix=args.prefix, decrypt=args.decrypt))
    if args.json:
        print(dump(keys))
        return exits.OK
    rows = [
        [str(key["name"]), _value(key), str(key["scope"]).removeprefix("st2kv."), str(key.get("expire_timestamp", ""))]
        for key in keys
    ]
    print_table(args, ["name", "value", "scope", "expires"], rows)
    return exits.OK


def _value(key: dict[str, Any]) -> str:
    return "(secret; --decrypt shows it)" if key.get("encrypted") else str(key["value"])


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("name")
    _scoped(parser)
    parser.add_argument("-d", "--decrypt", action="store_true", help="show a secret value")
    parser.add_argument("-j", "--json", action="store_true", help="print the whole key as JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        key = api.key(args.name, args.scope, decrypt=args.decrypt)
    print(dump(key) if args.json else key["value"])
    return exits.OK


def _configure_set(parser: ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("value", nargs="?", help="the value; read from standard input if it is left out")
    _scoped(parser)
    parser.add_argument(
        "-e", "--encrypt", action="store_true", help="store it encrypted, and show it only with --decrypt"
    )
    parser.add_argument("--encrypted", action="store_true", help="the value is ciphertext under the server's key file")
    parser.add_argument("-l", "--ttl", type=int, metavar="SECONDS", help="delete it after this time")


def _set(args: Namespace, target: Target) -> int:
    value = args.value if args.value is not None else sys.stdin.read().removesuffix("\n")
    with target.api() as api:
        api.set_key(
            args.name, value, args.scope, secret=args.encrypt or args.encrypted, encrypted=args.encrypted, ttl=args.ttl
        )
    return exits.OK


def _configure_delete(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="name")
    _scoped(parser)


def _delete(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for name in args.names:
            api.delete_key(name, args.scope)
    return exits.OK


def _configure_load(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="JSON: a list of objects with name and value, as `key list -j` prints"
    )


def _load(args: Namespace, target: Target) -> int:
    """Writes all keys of a file. Encrypted values stay as they are; values that are not texts are stored as JSON."""
    try:
        entries = json.loads(Path(args.file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidError(f"{args.file}: {error}") from error
    entries = entries if isinstance(entries, list) else [entries]
    with target.api() as api:
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "value" not in entry:
                raise InvalidError(f"{args.file}: entry {number} has no name and value")
            value = entry["value"]
            api.set_key(
                entry["name"],
                value if isinstance(value, str) else json.dumps(value),
                str(entry.get("scope", "system")),
                secret=bool(entry.get("secret")),
                encrypted=bool(entry.get("encrypted")),
                ttl=entry.get("ttl"),
            )
    print(f"{len(entries)} keys", file=sys.stderr)
    return exits.OK


VERBS = {
    "key list": Verb(_configure_list, _list),
    "key get": Verb(_configure_get, _get),
    "key set": Verb(_configure_set, _set),
    "key delete": Verb(_configure_delete, _delete),
    "key load": Verb(_configure_load, _load),
}
