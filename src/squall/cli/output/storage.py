"""`squall storage`, `squall storage purge`: the usage of storage, and the removal of finished executions."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.http import JsonObject
from squall.core.execution.statuses import FINAL
from squall.core.units import GIB, KIB, MIB, parse_size

_UNITS = {"d": 1.0, "h": 1 / 24, "m": 1 / 1440, "s": 1 / 86_400}


def _configure_usage(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--limit", type=int, default=10, metavar="N", help="number of packs and actions (default: 10)"
    )
    configure_list(parser)


def _usage(args: Namespace, target: Target) -> int:
    with target.api() as api:
        usage = api.storage(max(1, args.limit))
    if args.json:
        print(dump(usage))
        return exits.OK
    places = [
        (f"output, {_PLACES.get(place['place'], place['place'])}", place["journals"], *_sizes(place))
        for place in usage["places"]
    ]
    database = ("database", "", size(usage["database"]), size(usage["database"]))
    print_table(args, ("what", "trees", "bytes", "stored"), [*places, database])
    print(f"event log: {usage['events']} rows")
    for title, shares in (("pack", usage["packs"]), ("action", usage["actions"])):
        print()
        rows = [(share["name"], share["executions"], *_sizes(share)) for share in shares]
        print_table(args, (title, "executions", "output", "stored"), rows)
    return exits.OK


_PLACES = {"live": "not sealed", "row": "sealed, in seals.db", "file": "sealed files", "blob": "in the blob store"}


def _sizes(share: JsonObject) -> tuple[str, str]:
    return size(share["size"]), size(share["stored"])


def size(count: int) -> str:
    """Returns a number of bytes for people: `512 B`, `1.5 MiB`."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def _configure_purge(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--older-than",
        type=_days,
        required=True,
        metavar="TIME",
        help="only executions that ended at least this time ago: 30d, 12h, 10m, 0s",
    )
    parser.add_argument("--pack", action="append", help="only executions of this pack; repeat it for several packs")
    parser.add_argument("--action", action="append", metavar="REF", help="only executions of this action; repeatable")
    parser.add_argument(
        "--status",
        action="append",
        choices=sorted(FINAL),
        metavar="STATUS",
        help=f"only executions with this final status ({', '.join(sorted(FINAL))}); repeatable",
    )
    parser.add_argument(
        "--larger-than", type=_size, metavar="SIZE", help="only executions whose sealed output is larger"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="show what would be removed, and remove nothing")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _purge(args: Namespace, target: Target) -> int:
    selection = {
        "older_than_days": args.older_than,
        "pack": args.pack,
        "action": args.action,
        "status": args.status,
        "larger_than_bytes": args.larger_than,
        "dry_run": args.dry_run,
    }
    total = {"executions": 0, "trees": 0, "bytes": 0}
    shows_progress = sys.stderr.isatty()
    with target.api() as api:
        for page in api.purge({name: value for name, value in selection.items() if value is not None}):
            total = {name: count + page[name] for name, count in total.items()}
            if shows_progress:
                print(f"\r{total['executions']} executions …", end="", file=sys.stderr, flush=True)
    if shows_progress:
        print("\r\033[K", end="", file=sys.stderr)
    if args.json:
        print(dump({**total, "dry_run": args.dry_run}))
        return exits.OK
    outcome = "would be removed" if args.dry_run else "removed"
    print(f"{total['executions']} executions in {total['trees']} trees, {size(total['bytes'])} of output: {outcome}")
    return exits.OK


def _days(text: str) -> float:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "d")
    try:
        value = float(number) * _UNITS[unit]
    except ValueError:
        value = -1
    if not 0 <= value <= 36_500:
        raise ArgumentTypeError(f"{text!r} is not a time: write it like 30d, 12h, 10m or 0s")
    return value


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a size: write it like 10MiB") from None


VERBS = {
    "storage": Verb(_configure_usage, _usage),
    "storage purge": Verb(_configure_purge, _purge),
}
