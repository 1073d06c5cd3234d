"""`squall output verify`: checks that the stored output of an execution is undamaged."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from squall.cli.output.storage import size
from squall.cli.terminal import exits
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import document_of
from squall.core.errors import InvalidError

_MOST = 5000


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "execution", metavar="id", nargs="?", help="the execution's id, or last; its whole tree is checked"
    )
    parser.add_argument(
        "-a", "--all", action="store_true", help="list all damaged output that the server has found, and check nothing"
    )
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _verify(args: Namespace, target: Target) -> int:
    """Prints the verdict. Returns exit status 1 if the output has a fault."""
    if args.all == (args.execution is not None):
        raise InvalidError("output verify needs either the id of an execution or --all")
    if args.all:
        return _damages(args, target)
    with target.api() as api:
        verdict = api.verify_output(args.execution)
    faults = verdict.get("faults") or []
    if args.json:
        print(dump(verdict))
    elif verdict.get("place") == "none" and not faults:
        print(f"{verdict.get('tree')} ok: there is no output")
    else:
        place = {"live": "not sealed yet", "none": "missing"}.get(
            str(verdict.get("place")), f"sealed ({verdict.get('place')})"
        )
        summary = f"{size(int(verdict.get('size') or 0))}, {verdict.get('records') or 0} records, {place}"
        state = "damaged" if faults else "ok"
        print(f"{verdict.get('tree')} {state}: {summary}, sha256 {verdict.get('digest') or 'none'}")
    for fault in faults:
        print(f"squall: {cell(fault)}", file=sys.stderr)
    return exits.FAILED if faults else exits.OK


def _damages(args: Namespace, target: Target) -> int:
    """Prints what the server has found damaged. Returns exit status 1 if there is something."""
    with target.api() as api:
        answer = document_of(api.client.request("GET", "/storage/damage", query={"limit": _MOST}).body)
    if args.json:
        print(dump(answer))
    else:
        for damage in answer["damaged"]:
            print(f"{damage['tree']} damaged, found {damage['found']}: {cell('; '.join(damage['faults']))}")
        if not answer["count"]:
            print("no damaged output is known")
        if answer["checked_until"]:
            began = f"began {answer['round_began']}, has checked what started until {answer['checked_until']}"
            print(f"round {answer['round']} of the check {began}")
        elif answer["round"]:
            print(f"round {answer['round']} of the check is complete")
        else:
            print("no round of the check has begun")
    return exits.FAILED if answer["count"] else exits.OK


VERBS = {"output verify": Verb(_configure, _verify)}
