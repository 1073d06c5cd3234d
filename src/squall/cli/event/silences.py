"""`squall silence list|add|remove`: for a time, matches of rules start no action."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, moment, print_table
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.event.gates import add_silence, remove_silence, silences
from squall.core.errors import InvalidError

_SCOPES = ("rule", "pack", "trigger")


def _configure_list(parser: ArgumentParser) -> None:
    configure_list(parser, times=True)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        documents = list(silences(api))
    if args.json:
        print(dump(documents))
        return exits.OK
    rows = [
        (each["id"], _target(each), str(each["until"])[:19].replace("T", " "), each["author"], each["reason"],
         each["count"], moment(args, each.get("last_at")))
        for each in documents
    ]  # fmt: skip
    print_table(args, ("id", "silent", "until (UTC)", "author", "reason", "silenced", "last"), rows)
    return exits.OK


def _target(silence: dict[str, Any]) -> str:
    scope = next(scope for scope in _SCOPES if silence.get(scope))
    return f"{scope} {silence[scope]}" + (" (some events)" if silence.get("criteria") else "")


def _configure_add(parser: ArgumentParser) -> None:
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--rule", metavar="REF", help="silence this rule")
    target.add_argument("--pack", metavar="PACK", help="silence the rules of this pack")
    target.add_argument("--trigger", metavar="REF", help="silence all rules for events of this trigger or trigger type")
    parser.add_argument("--until", required=True, metavar="TIME", help="the end: a time, or a span such as 2h from now")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why")
    parser.add_argument("--criteria", metavar="JSON", help="silence only events that meet these criteria of rules")


def _add(args: Namespace, target: Target) -> int:
    body: dict[str, Any] = {scope: getattr(args, scope) for scope in _SCOPES if getattr(args, scope) is not None}
    if args.criteria is not None:
        try:
            body["criteria"] = json.loads(args.criteria)
        except ValueError as error:
            raise InvalidError(f"--criteria: {error}") from error
    with target.api() as api:
        silence = add_silence(api.client, {**body, "until": args.until, "reason": args.reason})
    print(f"{silence['id']} until {silence['until']}")
    return exits.OK


def _configure_remove(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="an id that squall silence list shows")


def _remove(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for each in args.ids:
            remove_silence(api.client, each)
    return exits.OK


VERBS = {
    "silence list": Verb(_configure_list, _list),
    "silence add": Verb(_configure_add, _add),
    "silence remove": Verb(_configure_remove, _remove),
}
