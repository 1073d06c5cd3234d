"""`squall version`."""

from __future__ import annotations

import platform
from argparse import ArgumentParser, Namespace

from squall import __version__
from squall.cli.terminal import exits
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb


def _configure(parser: ArgumentParser) -> None:
    parser.epilog = "Needs no server."


def _version(args: Namespace, target: Target) -> int:
    print(f"squall {__version__} (Python {platform.python_version()})")
    return exits.OK


VERBS = {"version": Verb(_configure, _version)}
