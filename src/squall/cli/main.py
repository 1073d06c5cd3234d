"""The entry of the command line: finds the command, loads its module alone, and tells errors in one line."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import import_module

from squall.cli.catalog import Command, command_of, first_words, group_of, guess, listing
from squall.cli.terminal import exits
from squall.cli.terminal.globals import Globals, describe_globals, split_globals
from squall.cli.terminal.parser import Parser
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.core.errors import SquallError

_EXAMPLES = """\
examples:
  squall run examples.countdown count=5
  squall run core.local -- uname -a
  squall run core.local --help
  squall tail last
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    _fill_standard_descriptors()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        status = _dispatch(*split_globals(arguments))
        sys.stdout.flush()
        return status
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else exits.ERROR
    except BrokenPipeError:
        # What is left in the buffer of stdout must not complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exits.BROKEN_PIPE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except SquallError as error:
        return _told(error, debug)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"squall: {where}{error.strerror or error}", file=sys.stderr)
        return exits.ERROR
    except Exception as error:
        if debug:
            raise
        print(f"squall: unexpected error: {error} (--debug shows where)", file=sys.stderr)
        return exits.ERROR


def _dispatch(options: Globals, words: list[str]) -> int:
    words = words if words[:1] != ["help"] else [*words[1:], "--help"]
    if words[:1] == ["--version"]:
        words = ["version"]
    if words[:1] in (["-h"], ["--help"]):
        print(_overview(None), end="")
        return exits.OK
    if not words:
        print(_overview(None), end="", file=sys.stderr)
        return exits.ERROR
    command, rest = _find(words)
    if command is None:
        return exits.OK
    if command.module is None:
        raise _misused(f"write `squall {command.name}` first, its options behind it")
    verbs: Mapping[str, Verb] = import_module(f"squall.cli.{command.module}").VERBS
    verb = verbs[command.name]
    target = Target(options.url, options.data_dir, options.debug, os.environ, options.color)
    parser = Parser(prog=f"squall {command.name}", description=command.summary + ".", allow_abbrev=False)
    verb.configure(parser)
    describe_globals(parser)
    before, after = _split(rest)
    if verb.help is not None and (status := verb.help(parser, before, target)) is not None:
        return status
    args = parser.parse_intermixed_args(before)
    if after:
        if not hasattr(args, "words"):
            parser.error(f"unexpected: {' '.join(after)}")
        args.words = [*args.words, *after]
    return verb.run(args, target)


def _find(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command that these words begin with and the words behind it; None when they ask for a group's help."""
    if words[0].startswith("-"):
        raise _misused(f"unrecognized arguments: {words[0]}")
    known = command_of(words)
    if known is not None:
        return known
    group = group_of(words[0])
    if not group:
        raise _misused(f"there is no command {words[0]!r}{guess(words[0], first_words())}")
    if len(words) > 1 and words[1] in ("-h", "--help"):
        print(_overview(group), end="")
        return None, []
    names = [command.name.split()[1] for command in group]
    meant = guess(words[1], names) if len(words) > 1 else ""
    raise _misused(f"squall {words[0]} takes one of: {', '.join(names)}{meant}")


def _misused(message: str) -> SystemExit:
    print(f"squall: {message} (see squall --help)", file=sys.stderr)
    return SystemExit(exits.ERROR)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is before a lone `--`, and what is behind it and therefore no option."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _overview(commands: Sequence[Command] | None) -> str:
    """The help of a group of commands, or with None the help of `squall` itself."""
    parser = ArgumentParser(prog="squall", description="Runs actions and shows what they print, as they print it.")
    describe_globals(parser)
    parser.usage = "squall [options] <command> …"
    parser.formatter_class = RawDescriptionHelpFormatter
    more = "squall help COMMAND, or COMMAND --help, tells all of a command"
    listed = f"commands:\n{listing(commands)}" if commands is not None else listing()
    parser.epilog = f"{listed}\n{more}.\n\n{_EXAMPLES}"
    return parser.format_help()


def _told(error: SquallError, debug: bool) -> int:
    from squall.client.http import NoServerError

    if debug:
        import traceback

        traceback.print_exception(error)
    hint = ": start one with `squall serve`" if isinstance(error, NoServerError) and error.refused else ""
    print(f"squall: {error}{hint}", file=sys.stderr)
    return error.exit_status


def _fill_standard_descriptors() -> None:
    """Open those of 0, 1 and 2 that are closed: a socket that got such a number would be written to."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
