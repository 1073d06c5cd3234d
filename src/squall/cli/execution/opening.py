"""`squall open`: prints the address of an execution's page, and opens the page at a desktop."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from squall.cli.output.watch import page_of
from squall.cli.terminal import exits
from squall.cli.terminal.target import Target, web_address
from squall.cli.terminal.verb import Verb

_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "execution", nargs="?", metavar="id", help="the execution's id, or last (default: the page of all executions)"
    )
    parser.add_argument("--print", dest="only_print", action="store_true", help="print the address and open nothing")


def _open(args: Namespace, target: Target) -> int:
    """Prints and opens the address. Raises `NotFoundError` if the execution does not exist, instead of opening an empty
    page."""
    if args.execution is None:
        address = f"{web_address(target.find_url())}/executions"
    else:
        with target.api() as api:
            address = page_of(target, str(api.execution(args.execution, only="id")["id"]))
    print(address, flush=True)
    at_desktop = sys.platform == "darwin" or any(target.environ.get(name) for name in _DESKTOP)
    if at_desktop and not args.only_print:
        import webbrowser

        webbrowser.open(address)
    return exits.OK


VERBS = {"open": Verb(_configure, _open)}
