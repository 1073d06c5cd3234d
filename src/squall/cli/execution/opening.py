"""`squall open`: the address of an execution's page, and the page itself at a desktop."""

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
    """Raises `NotFoundError` if there is no such execution: its page would only say so."""
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
