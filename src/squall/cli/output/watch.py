"""Watching one execution to its end: output to the screen, lost connections, signals, and the closing line."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import closing

from squall.cli.output.endings import closing_line, failure
from squall.cli.output.livetree import LiveScreen, can_paint, show_tree
from squall.cli.output.tasks import TaskOptions, configure_tasks, is_workflow, show_tasks
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
    """Adds the options of every command that starts an execution and watches it."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("-a", "--async", dest="detached", action="store_true", help="print the id and do not wait")
    mode.add_argument("--stream", choices=("stdout", "stderr"), help="show only this stream")
    parser.add_argument("-j", "--json", action="store_true", help="print the execution as JSON, not its output")
    parser.add_argument("--timestamps", action="store_true", help="put the time before every line")
    parser.add_argument("--delay", type=milliseconds, metavar="MS", help="start it MS milliseconds later")
    configure_tasks(parser)


def milliseconds(text: str) -> int:
    """Returns a whole number of milliseconds, not negative. Raises `ValueError`."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def start_and_watch(args: Namespace, target: Target, start: Callable[[Api], JsonObject]) -> int:
    """Starts an execution, and watches or announces it as the options of `configure_watch` say. Returns the exit
    status."""
    with target.api() as api:
        if args.detached:
            return _announce(start(api), target, json=args.json)
        return _start_and_stay(args, target, api, start)


def _start_and_stay(args: Namespace, target: Target, api: Api, start: Callable[[Api], JsonObject]) -> int:
    """Starts an execution and watches it until it ends, or until the user or a signal detaches or gives up. Returns
    the exit status."""
    style = Style(timestamps=args.timestamps)
    screen = open_live_screen(target, style) if _paints(args, target) else open_screen(target, style)
    ask = sys.stdin is not None and all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    execution_id = ""
    try:
        with Signals(lambda canceled_id: _cancel(target, screen, canceled_id), ask=ask) as signals:
            try:
                execution = start(api)
                execution_id = str(execution["id"])
                signals.watch(execution_id)
                if not args.json:
                    screen.note(f"{execution_id} · {page_of(target, execution_id)}")
                document = _watch(args, api, screen, execution, signals)
            except BrokenPipeError:
                if signals.canceled:
                    return exits.INTERRUPTED
                raise
    except Detached:
        screen.finish()
        screen.tell(f"detached; the execution continues. Watch it again with: squall tail {execution_id}")
        return exits.OK
    except GivenUp:
        screen.finish()
        hint = f"; see its status with: squall execution get {execution_id}" if execution_id else ""
        screen.tell(f"squall: stopped waiting for the canceled execution{hint}")
        return exits.INTERRUPTED
    if signals.canceled:
        return exits.INTERRUPTED
    return exits.of_status(str(document.get("status")))


def open_screen(target: Target, style: Style) -> Screen:
    """Returns the screen of this process. It flushes earlier output first."""
    sys.stdout.flush()
    sys.stderr.flush()
    return Screen(1, 2, target.environ, style, target.color)


def open_live_screen(target: Target, style: Style) -> LiveScreen:
    """Returns a screen that can paint a tree at its end. It flushes earlier output first."""
    sys.stdout.flush()
    sys.stderr.flush()
    return LiveScreen(1, 2, target.environ, style, target.color)


def _paints(args: Namespace, target: Target) -> bool:
    """Returns True if the tasks of a workflow are painted as a tree: at a terminal, unless an option requests
    lines."""
    lines = (
        args.json
        or args.stream
        or args.timestamps
        or args.output not in (None, "tree")
        or TaskOptions.of(args) != TaskOptions()
    )
    return not lines and can_paint(target.environ)


def show_output(follower: Follower, screen: Screen) -> None:
    """Writes all records of the follower."""
    try:
        with closing(iter(follower)) as records:
            for record in records:
                if isinstance(record, Chunk):
                    screen.show(record.stream, record.data, record.timestamp)
                elif isinstance(record, Gap):
                    reason = f": {record.reason}" if record.reason else ""
                    screen.tell(f"squall: {record.missing} bytes of the output are missing here{cell(reason)}")
    finally:
        screen.finish()


class Notices:
    """A listener that reports on a terminal when the server is lost and when it is back."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def lost(self, position: str | None) -> None:
        """Writes one dim line."""
        self._screen.note(f"lost the connection to the server; reconnecting after {position or 'the start'}")

    def back(self, position: str | None) -> None:
        """Writes one dim line."""
        self._screen.note(f"reconnected; resumed after {position or 'the start'}")

    def warned(self, text: str) -> None:
        """Writes one dim line."""
        self._screen.note(f"warning: {text}")


def page_of(target: Target, execution_id: str) -> str:
    """Returns the address of an execution's page."""
    return f"{web_address(target.find_url())}/executions/{execution_id}"


def tell_ending(api: Api, screen: Screen, document: JsonObject) -> None:
    """Writes the closing line: dim and only on a terminal if the execution succeeded or still runs; else always."""
    status = document.get("status")
    if status in FINAL and status != "succeeded":
        screen.tell(closing_line(document, failure(api, str(document["id"]))))
    else:
        screen.note(closing_line(document))


def _watch(args: Namespace, api: Api, screen: Screen, execution: JsonObject, signals: Signals) -> JsonObject:
    """Shows the output, or with `-j` only waits and prints the document. Returns the document of the ended
    execution."""
    execution_id = str(execution["id"])
    # To wait for the end, the least used stream is enough: it ends at the same moment.
    kind = "output" if args.json else args.stream or "all"
    tree = isinstance(screen, LiveScreen) and is_workflow(execution)
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
    elif is_workflow(execution):
        show_tasks(follower, screen, api, execution_id, TaskOptions.of(args))
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
        print(f"or in a browser: {page_of(target, str(document['id']))}", file=sys.stderr)
    return exits.OK


def _cancel(target: Target, screen: Screen, execution_id: str) -> None:
    """Requests the cancellation, with retries until the server answers. It runs in a thread, so it has its own
    connection."""
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
            screen.tell(f"squall: execution {execution_id} cannot be canceled: {error}")
            return
