"""`squall output verify`: whether what an execution printed is still what was stored."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from squall.cli.output.storage import size
from squall.cli.terminal import exits
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("execution", metavar="id", help="the execution's id, or last; its whole tree is looked at")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _verify(args: Namespace, target: Target) -> int:
    """Exit status 1 when something is wrong."""
    with target.api() as api:
        found = api.verify_output(args.execution)
    faults = found.get("faults") or []
    if args.json:
        print(dump(found))
    elif found.get("place") == "none" and not faults:
        print(f"{found.get('tree')} ok: it has printed nothing")
    else:
        where = {"live": "not sealed yet", "none": "missing"}.get(
            str(found.get("place")), f"sealed ({found.get('place')})"
        )
        about = f"{size(int(found.get('size') or 0))}, {found.get('records') or 0} records, {where}"
        print(f"{found.get('tree')} {'damaged' if faults else 'ok'}: {about}, sha256 {found.get('digest') or 'none'}")
    for fault in faults:
        print(f"squall: {cell(fault)}", file=sys.stderr)
    return exits.FAILED if faults else exits.OK


VERBS = {"output verify": Verb(_configure, _verify)}
