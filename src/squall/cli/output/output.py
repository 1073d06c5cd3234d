"""`squall output`, `squall output stats`: the output of an execution as exact bytes or text, and its size."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from squall.cli.output.storage import size
from squall.cli.output.tail import chosen_lines, configure_lines
from squall.cli.terminal import exits
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.paths import path_of


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("execution", metavar="id", help="the execution's id, or last")
    parser.add_argument("--raw", action="store_true", help="print the exact bytes, not text")
    parser.add_argument(
        "--stream", choices=("stdout", "stderr", "output", "all"), default="all", help="only this stream"
    )
    parser.add_argument("--tree", action="store_true", help="include the output of its children")
    parser.add_argument("--json", action="store_true", help="print a JSON object for every line")
    configure_lines(parser)


def _output(args: Namespace, target: Target) -> int:
    """Prints the present output while it arrives."""
    query = {
        "format": "raw" if args.raw else "ndjson" if args.json else "text",
        "follow": "false",
        "stream": args.stream,
        "tree": "true" if args.tree or args.task or args.action or args.depth else "false",
        **chosen_lines(args),
    }
    with target.api() as api, api.client.stream(path_of("executions", args.execution, "output"), query=query) as stream:
        sys.stdout.flush()
        while piece := stream.read():
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return exits.OK


def _configure_stats(parser: ArgumentParser) -> None:
    parser.add_argument("execution", metavar="id", help="the execution's id, or last")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _stats(args: Namespace, target: Target) -> int:
    with target.api() as api:
        stats = api.output_stats(args.execution)
    if args.json:
        print(dump(stats))
        return exits.OK
    print(f"{stats['execution_id']}: {stats['lines']} lines, {size(int(stats['bytes']))}")
    for name, part in stats["streams"].items():
        print(f"  {name}: {part['lines']} lines, {size(int(part['bytes']))}")
    gaps = stats["gaps"]
    rows = {
        "first output": stats["first_output"],
        "last output": stats["last_output"],
        "masked secrets": stats["masked"] or None,
        "missing": f"{size(int(gaps['bytes']))} in {gaps['count']} gaps" if gaps["count"] else None,
        "sha256 of the sealed tree": stats["hash"],
    }
    for name, value in rows.items():
        if value is not None:
            print(f"  {name}: {cell(str(value))}")
    return exits.OK


VERBS = {"output": Verb(_configure, _output), "output stats": Verb(_configure_stats, _stats)}
