"""The shape of one sub-command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from squall.cli.terminal.target import Target


class Verb(NamedTuple):
    """`configure` declares the arguments, `run` does the work and returns the exit status.

    `help`, if any, is called before the words are parsed. It answers a `--help` among them that the parser alone
    cannot answer, and returns the exit status; None leaves the line to the parser.
    """

    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Target], int]
    help: Callable[[ArgumentParser, list[str], Target], int | None] | None = None
