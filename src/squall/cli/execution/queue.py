"""`squall queue list|retry`: work that is set aside because the server died of it twice."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.suspects import retry, set_aside


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        aside = set_aside(api.client)
    if args.json:
        print(dump(aside))
    else:
        rows = [(each["id"], each["lane"], each["deaths"], each["since"]) for each in aside]
        print_table(args, ("id", "lane", "deaths", "since"), rows)
    return exits.OK


def _configure_retry(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="an id that squall queue list shows")


def _retry(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for each in args.ids:
            retry(api.client, each)
            print(f"{each} is tried again")
    return exits.OK


VERBS = {"queue list": Verb(configure_list, _list), "queue retry": Verb(_configure_retry, _retry)}
