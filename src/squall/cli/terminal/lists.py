"""The options of every command that prints a list, and tables that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from squall.cli.terminal.table import table
from squall.cli.terminal.times import ago, exact


def configure_list(parser: ArgumentParser, *, times: bool = False) -> None:
    """Adds the options of a list; with `times` also the options of a list with times."""
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")
    parser.add_argument("--wide", action="store_true", help="do not cut columns at the terminal's edge")
    if times:
        parser.add_argument("--utc", action="store_true", help="show exact times in UTC")


def print_table(args: Namespace, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints rows. At a terminal without `--wide` they are at most as wide as the terminal; a file or a pipe gets them
    in full."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not args.wide else None
    print(table(columns, rows, width))


def relative(args: Namespace) -> bool:
    """Returns True if times are shown as ages: at a terminal without `--utc`."""
    return sys.stdout.isatty() and not args.utc


def moment(args: Namespace, stamp: Any) -> str:
    """Returns a time stamp in the form that the options of `configure_list` select."""
    return ago(stamp) if relative(args) else exact(stamp)
