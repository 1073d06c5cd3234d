"""The command `squall`: what runs a server is here, what talks to one is in `squall.cli`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial


def main() -> int:
    """Runs the command line; gives the exit status."""
    arguments = sys.argv[1:]
    local = _local(arguments)
    if local is None:
        from squall.cli.main import main as cli

        return cli(arguments)
    return _guarded(*local)


def _local(arguments: list[str]) -> tuple[Callable[[list[str]], int], list[str]] | None:
    """The command that runs in this process without the client, and its words; None if the client runs the line."""
    from squall.cli.terminal.globals import split_globals
    from squall.core.errors import SquallError

    try:
        options, words = split_globals(arguments)
    except SquallError:
        return None
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    behind = [*words[1:], *options.words()]
    match words:
        case ["serve", *_]:
            return partial(_serve, color=options.color), behind
        case ["config", "show", *_]:
            return _config_show, behind[1:]
        case ["user", verb, *_] if verb in ("add", "passwd", "remove", "list"):
            from squall.commands.users import users

            return users, behind
        case ["pack", "create" | "lint" | "test", *_]:
            from squall.commands.authoring import pack

            return pack, words[1:]
        case ["demo", *_]:
            from squall.commands.demo import demo

            return demo, words[1:]
        case ["backup", *_]:
            from squall.commands.backup import backup

            return backup, behind
        case ["restore", *_]:
            from squall.commands.restore import restore

            return restore, behind
    return None


_SWITCH_INTERVAL = 0.0005
"""Seconds for which one thread of the server may keep the others waiting for the interpreter."""


def _guarded(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Runs a command whose errors of configuration are one line on stderr."""
    from squall.core.errors import SquallError

    try:
        return command(arguments)
    except SquallError as error:
        if "--debug" in sys.argv:
            import traceback

            traceback.print_exception(error)
        print(f"squall: {error}", file=sys.stderr)
        return error.exit_status


def _serve(arguments: list[str], color: str | None = None) -> int:
    import asyncio
    import gc
    import logging

    # Imports make many objects and no garbage: without the collector a start takes an eighth less processor time.
    gc.disable()

    from squall import __version__, config
    from squall.cli.terminal.parser import Parser

    parser = Parser(prog="squall serve", description="Run the server until SIGTERM or Ctrl-C.")
    config.add_flags(parser)
    loaded = config.load(config.flags_from(parser.parse_args(arguments)), os.environ)

    from squall.app import App, serve
    from squall.server import datadir, logs

    # What exists now stays: later collections need not look at it.
    gc.freeze()
    gc.enable()
    # A request passes from the event loop to the thread of the database and back several times. With Python's interval
    # of 5 ms each of them may wait that long for the other, and a workflow of three steps takes a quarter more time.
    sys.setswitchinterval(_SWITCH_INTERVAL)

    def ready(app: App) -> None:
        about = app.about()
        log = logging.getLogger("squall")
        if sys.stdout.isatty() and sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
            # At a terminal all lines are of one kind: those of the log.
            log.info("ready", extra={"version": __version__, "url": about["url"], "data_dir": about["data_dir"]})
            log.info("squall env prints what the st2 client needs; Ctrl-C stops the server")
            return
        print(f"Squall {__version__} is ready at {about['url']} (data in {about['data_dir']}).")
        for name in ("api", "auth", "stream"):
            print(f"export ST2_{name.upper()}_URL={about[f'{name}_url']}")
        sys.stdout.flush()

    datadir.prepare(loaded.settings.server.data_dir)
    undo = logs.configure(loaded.settings, sys.stderr, color)
    try:
        asyncio.run(serve(loaded.settings, ready))
    finally:
        undo()
    return 0


def _config_show(arguments: list[str]) -> int:
    from squall import config
    from squall.cli.terminal.parser import Parser

    parser = Parser(prog="squall config show", description="Print every setting and its source.")
    config.add_flags(parser)
    print(config.show(config.load(config.flags_from(parser.parse_args(arguments)), os.environ)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
