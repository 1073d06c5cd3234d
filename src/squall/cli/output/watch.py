"""Watches one execution to its end: output to the screen, lost connections, signals, and the closing line."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import closing

from squall.cli.output.endings import closing_line, failure
from squall.cli.output.livetree import LiveScreen, can_paint, show_tree
from squall.cli.output.tasks import Wanted, configure_tasks, is_workflow, show_tasks
from squall.cli.terminal import exits
from squall.cli.terminal.screen import Screen, Style
from squall.cli.terminal.signals import Detached, GivenUp, Signals
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Target, web_address
from squall.client.api import Api
from squall.client.follow import FINAL, PATIENCE, Chunk, Follower, Gap, Retry
from squall.client.http import JsonObject
from squall.core.errors import SquallError, UnavailableError


def configure_watch(parser: ArgumentParser) -> None:
    """The options of every command that starts an execution and watches it."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-a", "--async", dest="detached", action="store_true", help="print the id and do not wait")
    how.add_argument("--stream", choices=("stdout", "stderr"), help="show only this stream")
    parser.add_argument("-j", "--json", action="store_true", help="print the execution as JSON, not its output")
    parser.add_argument("--timestamps", action="store_true", help="put the time before every line")
    parser.add_argument("--delay", type=milliseconds, metavar="MS", help="start it that many milliseconds later")
    configure_tasks(parser)


def milliseconds(text: str) -> int:
    """A whole number of milliseconds, not negative. Raises `ValueError`."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def start_and_watch(args: Namespace, target: Target, start: Callable[[Api], JsonObject]) -> int:
    """Start an execution and do with it what the options of `configure_watch` say; the exit status."""
    with target.api() as api:
        if args.detached:
            return _announce(start(api), target, json=args.json)
        return _start_and_stay(args, target, api, start)


def _start_and_stay(args: Namespace, target: Target, api: Api, start: Callable[[Api], JsonObject]) -> int:
    """Watch it until it has ended, or until a person or a signal decides otherwise."""
    style = Style(timestamps=args.timestamps)
    screen = open_live_screen(target, style) if _paints(args, target) else open_screen(target, style)
    ask = sys.stdin is not None and all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    execution_id = ""
    try:
        with Signals(lambda wanted: _cancel(target, screen, wanted), ask=ask) as signals:
            try:
                began = start(api)
                execution_id = str(began["id"])
                signals.watch(execution_id)
                if not args.json:
                    screen.note(f"{execution_id} · {page_of(target, execution_id)}")
                document = _watch(args, api, screen, began, signals)
            except BrokenPipeError:
                if signals.canceled:
                    return exits.INTERRUPTED
                raise
    except Detached:
        screen.finish()
        screen.tell(f"detached, it goes on; come back with: squall tail {execution_id}")
        return exits.OK
    except GivenUp:
        screen.finish()
        known = f"; see squall execution get {execution_id}" if execution_id else ""
        screen.tell(f"squall: not waiting any longer{known}")
        return exits.INTERRUPTED
    if signals.canceled:
        return exits.INTERRUPTED
    return exits.of_status(str(document.get("status")))


def open_screen(target: Target, style: Style) -> Screen:
    """The screen of this process, with everything written that was printed before."""
    sys.stdout.flush()
    sys.stderr.flush()
    return Screen(1, 2, target.environ, style, target.color)


def open_live_screen(target: Target, style: Style) -> LiveScreen:
    """The same, with room for a tree at its end."""
    sys.stdout.flush()
    sys.stderr.flush()
    return LiveScreen(1, 2, target.environ, style, target.color)


def _paints(args: Namespace, target: Target) -> bool:
    """Whether the tasks of a workflow are painted as a tree: at a terminal, unless its lines are asked for."""
    lines = (
        args.json or args.stream or args.timestamps or args.output not in (None, "tree") or Wanted.of(args) != Wanted()
    )
    return not lines and can_paint(target.environ)


def show_output(follower: Follower, screen: Screen) -> None:
    """Write everything that the follower brings."""
    try:
        with closing(iter(follower)) as records:
            for record in records:
                if isinstance(record, Chunk):
                    screen.show(record.stream, record.data, record.timestamp)
                elif isinstance(record, Gap):
                    why = f": {record.reason}" if record.reason else ""
                    screen.tell(f"squall: {record.missing} bytes of the output are missing here{cell(why)}")
    finally:
        screen.finish()


class Notices:
    """Tells a person at a terminal when the server is lost and when it is back."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def lost(self, position: str | None) -> None:
        """One dim line."""
        self._screen.note(f"lost the server, reconnecting at {position or 'the start'}")

    def back(self, position: str | None) -> None:
        """One dim line."""
        self._screen.note(f"reconnected, resumed at {position or 'the start'}")

    def warned(self, text: str) -> None:
        """One dim line."""
        self._screen.note(f"warning: {text}")


def page_of(target: Target, execution_id: str) -> str:
    """The address of an execution's page."""
    return f"{web_address(target.find_url())}/executions/{execution_id}"


def tell_ending(api: Api, screen: Screen, document: JsonObject) -> None:
    """The closing line: dim and only at a terminal if the execution succeeded or still runs, else for everybody."""
    status = document.get("status")
    if status in FINAL and status != "succeeded":
        screen.tell(closing_line(document, failure(api, str(document["id"]))))
    else:
        screen.note(closing_line(document))


def _watch(args: Namespace, api: Api, screen: Screen, began: JsonObject, signals: Signals) -> JsonObject:
    """Show the output, or with `-j` only wait and print the document; the document of the ended execution."""
    execution_id = str(began["id"])
    # To wait, a stream that hardly ever has anything in it is enough: its end comes at the same moment.
    kind = "output" if args.json else args.stream or "all"
    tree = isinstance(screen, LiveScreen) and is_workflow(began)
    follower = Follower(api, execution_id, kind=kind, listener=Notices(screen), notes=tree)
    if args.json:
        with closing(iter(follower)) as records:
            for _ in records:
                pass
        document = follower.outcome(result=True)
        print(dump(document), flush=True)
        return document
    if isinstance(screen, LiveScreen) and tree:
        show_tree(follower, screen, api, execution_id, lambda: signals.asking)
    elif is_workflow(began):
        show_tasks(follower, screen, api, execution_id, Wanted.of(args))
    else:
        show_output(follower, screen)
    document = follower.outcome()
    tell_ending(api, screen, document)
    return document


def _announce(document: JsonObject, target: Target, *, json: bool) -> int:
    if json:
        print(dump(document))
        return exits.OK
    print(document["id"], flush=True)
    if sys.stderr.isatty():
        print(f"watch it with: squall tail {document['id']}", file=sys.stderr)
        print(f"or at {page_of(target, str(document['id']))}", file=sys.stderr)
    return exits.OK


def _cancel(target: Target, screen: Screen, execution_id: str) -> None:
    """Ask until the server has heard it; runs in a thread, so with a connection of its own."""
    retry = Retry(PATIENCE, time.monotonic, time.sleep)
    while True:
        try:
            with target.api() as api:
                api.cancel(execution_id)
            return
        except UnavailableError as error:
            try:
                retry.wait(error)
            except UnavailableError:
                return
        except SquallError as error:
            screen.tell(f"squall: cannot cancel: {error}")
            return
