"""What every command that prints a list has: its options, and tables that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from squall.cli.terminal.table import table
from squall.cli.terminal.times import ago, exact


def configure_list(parser: ArgumentParser, *, times: bool = False) -> None:
    """The options of a list; with `times` also those of a list with moments."""
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")
    parser.add_argument("--wide", action="store_true", help="show all of every column, also beyond the terminal's edge")
    if times:
        parser.add_argument("--utc", action="store_true", help="show exact times in UTC")


def print_table(args: Namespace, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints rows: as wide as the terminal at most, unless `--wide` was given; in full to a file or a pipe."""
    columns_of_terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() and not args.wide else None
    print(table(columns, rows, columns_of_terminal))


def relative(args: Namespace) -> bool:
    """Whether moments are shown by how long ago they were: at a terminal, unless `--utc` was given."""
    return sys.stdout.isatty() and not args.utc


def moment(args: Namespace, stamp: Any) -> str:
    """A time stamp as the options of `configure_list` want it."""
    return ago(stamp) if relative(args) else exact(stamp)
