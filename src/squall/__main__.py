"""The command `squall`: what runs a server is here, what talks to one is in `squall.cli`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def main() -> int:
    """Runs the command line; gives the exit status."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        return _guarded(_serve, arguments[1:])
    if arguments[:2] == ["config", "show"]:
        return _guarded(_config_show, arguments[2:])
    if arguments[:1] == ["user"] and arguments[1:2] not in ([], ["-h"], ["--help"]):
        from squall.commands.users import users

        return _guarded(users, arguments[1:])
    if arguments[:1] == ["pack"] and arguments[1:2] in (["create"], ["lint"], ["test"]):
        from squall.commands.authoring import pack

        return _guarded(pack, arguments[1:])
    if arguments[:1] == ["demo"]:
        from squall.commands.demo import demo

        return demo(arguments[1:])
    if arguments[:1] == ["backup"]:
        from squall.commands.backup import backup

        return _guarded(backup, arguments[1:])
    if arguments[:1] == ["restore"]:
        from squall.commands.restore import restore

        return _guarded(restore, arguments[1:])
    from squall.cli.main import main as cli

    return cli(arguments)


def _guarded(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Runs a command whose errors of configuration are one line on stderr."""
    from squall.core.errors import SquallError

    try:
        return command(arguments)
    except SquallError as error:
        print(f"squall: {error}", file=sys.stderr)
        return error.exit_status


def _serve(arguments: list[str]) -> int:
    import argparse
    import asyncio

    from squall import __version__, config

    parser = argparse.ArgumentParser(prog="squall serve", description="Run the server until SIGTERM or Ctrl-C.")
    config.add_flags(parser)
    loaded = config.load(config.flags_from(parser.parse_args(arguments)), os.environ)

    from squall.app import App, serve
    from squall.server import datadir, logs

    def ready(app: App) -> None:
        about = app.about()
        print(f"Squall {__version__} is ready at {about['url']} (data in {about['data_dir']}).")
        for name in ("api", "auth", "stream"):
            print(f"export ST2_{name.upper()}_URL={about[f'{name}_url']}")
        sys.stdout.flush()

    datadir.prepare(loaded.settings.server.data_dir)
    undo = logs.configure(loaded.settings, sys.stderr)
    try:
        asyncio.run(serve(loaded.settings, ready))
    finally:
        undo()
    return 0


def _config_show(arguments: list[str]) -> int:
    import argparse

    from squall import config

    parser = argparse.ArgumentParser(prog="squall config show", description="Print every setting and its source.")
    config.add_flags(parser)
    print(config.show(config.load(config.flags_from(parser.parse_args(arguments)), os.environ)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
