"""The shape of one sub-command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from squall.cli.terminal.target import Target


class Verb(NamedTuple):
    """The functions of a command: `configure` declares the arguments, `run` does the work and returns the exit status.

    `help`, if any, is called before the words are parsed. It answers a `--help` that the parser alone cannot answer,
    and returns the exit status. If it returns None, the parser continues.
    """

    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Target], int]
    help: Callable[[ArgumentParser, list[str], Target], int | None] | None = None
