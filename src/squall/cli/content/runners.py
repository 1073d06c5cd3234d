"""`squall runner list`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli.terminal import exits
from squall.cli.terminal.table import dump, table
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        found = list(api.runners())
    if args.json:
        print(dump(found))
    else:
        print(table(("runner", "description"), [(item.get("name"), item.get("description")) for item in found]))
    return exits.OK


VERBS = {"runner list": Verb(_configure_list, _list)}
