"""The shape of one sub-command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from squall.cli.terminal.target import Target


class Verb(NamedTuple):
    """`configure` declares the arguments, `run` does the work and returns the exit status."""

    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Target], int]
