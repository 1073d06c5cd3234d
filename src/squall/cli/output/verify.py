"""`squall output verify`: checks that the stored output of an execution is undamaged."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from squall.cli.output.storage import size
from squall.cli.terminal import exits
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("execution", metavar="id", help="the execution's id, or last; its whole tree is checked")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _verify(args: Namespace, target: Target) -> int:
    """Prints the verdict. Returns exit status 1 if the output has a fault."""
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


VERBS = {"output verify": Verb(_configure, _verify)}
