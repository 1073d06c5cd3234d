"""`squall rule held`: the matches of a rule that wait for somebody."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from squall.cli.event.trigger_names import payload_shown
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, moment, print_table
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.event.gates import discard_held, held_matches, run_held
from squall.client.event.rules import instances


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("ref", help="the reference of a rule")
    parser.add_argument("ids", nargs="*", metavar="id", help="ids of held matches; all if none is given")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--run", action="store_true", help="start the rule's action for them")
    either.add_argument("--discard", action="store_true", help="remove them")
    configure_list(parser, times=True)


def _held(args: Namespace, target: Target) -> int:
    ids = args.ids or None
    with target.api() as api:
        if args.run:
            documents = run_held(api.client, args.ref, ids)
            rows: list[tuple[Any, ...]] = [
                (each.get("execution_id") or "", each["trigger_instance_id"], each.get("failure_reason") or "")
                for each in documents
            ]
            columns: tuple[str, ...] = ("execution", "event", "failure")
        else:
            documents = discard_held(api.client, args.ref, ids) if args.discard else held_matches(api, args.ref, ids)
            payloads = {} if args.json else instances(api.client, [each["trigger_instance_id"] for each in documents])
            rows = [
                (each["id"], moment(args, each["held_at"]), each["trigger_instance_id"],
                 payload_shown((payloads.get(each["trigger_instance_id"]) or {}).get("payload")))
                for each in documents
            ]  # fmt: skip
            columns = ("discarded" if args.discard else "id", "held", "event", "payload")
    if args.json:
        print(dump(documents))
    else:
        print_table(args, columns, rows)
    return exits.FAILED if args.run and any(each.get("failure_reason") for each in documents) else exits.OK


VERBS = {"rule held": Verb(_configure, _held)}
