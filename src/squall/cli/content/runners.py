"""`squall runner list`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb


def _configure_list(parser: ArgumentParser) -> None:
    configure_list(parser)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        runners = list(api.runners())
    if args.json:
        print(dump(runners))
    else:
        print_table(args, ("runner", "description"), [(item.get("name"), item.get("description")) for item in runners])
    return exits.OK


VERBS = {"runner list": Verb(_configure_list, _list)}
