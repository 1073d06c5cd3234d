"""The entry of the command line: finds the command, imports only its module, and prints errors on one line."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import import_module

from squall.cli.catalog import Command, command_of, first_words, group_of, guess, listing
from squall.cli.examples import examples
from squall.cli.terminal import exits
from squall.cli.terminal.globals import Globals, describe_globals, split_globals
from squall.cli.terminal.parser import Parser
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.core.errors import SquallError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns its exit status."""
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
        # The buffer of stdout may hold bytes that would cause a second error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exits.BROKEN_PIPE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except SquallError as error:
        return _print_error(error, debug)
    except OSError as error:
        if debug:
            raise
        path = f"{error.filename}: " if error.filename else ""
        print(f"squall: {path}{error.strerror or error}", file=sys.stderr)
        return exits.ERROR
    except Exception as error:
        if debug:
            raise
        print(f"squall: unexpected error: {error} (run it with --debug to see the traceback)", file=sys.stderr)
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
        raise _misused(f"write `squall {command.name}` first and its options after it")
    verbs: Mapping[str, Verb] = import_module(f"squall.cli.{command.module}").VERBS
    verb = verbs[command.name]
    target = Target(options.url, options.data_dir, options.debug, os.environ, options.color)
    parser = Parser(prog=f"squall {command.name}", description=command.summary + ".", allow_abbrev=False)
    verb.configure(parser)
    describe_globals(parser)
    own_words, action_words = _split(rest)
    if verb.help is not None and (status := verb.help(parser, own_words, target)) is not None:
        return status
    args = parser.parse_intermixed_args(own_words)
    if action_words:
        if not hasattr(args, "words"):
            parser.error(f"unexpected words after --: {' '.join(action_words)}")
        args.words = [*args.words, *action_words]
    return verb.run(args, target)


def _find(words: list[str]) -> tuple[Command | None, list[str]]:
    """Returns the command at the beginning of these words and the words after it; None if the words request a group's
    help, which it prints. Raises `SystemExit` for an unknown command."""
    if words[0].startswith("-"):
        raise _misused(f"unrecognized arguments: {words[0]}")
    match = command_of(words)
    if match is not None:
        return match
    group = group_of(words[0])
    if not group:
        raise _misused(f"command {words[0]!r} does not exist{guess(words[0], first_words())}")
    if len(words) > 1 and words[1] in ("-h", "--help"):
        print(_overview(words[0]), end="")
        return None, []
    names = [command.name.split()[1] for command in group]
    suggestion = guess(words[1], names) if len(words) > 1 else ""
    raise _misused(f"squall {words[0]} needs one of these commands: {', '.join(names)}{suggestion}")


def _misused(message: str) -> SystemExit:
    print(f"squall: {message} (see squall --help)", file=sys.stderr)
    return SystemExit(exits.ERROR)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the words before a lone `--`, and the words after it, which are no options."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _overview(group: str | None) -> str:
    """Returns the help of the group of commands with this first word, or with None the help of `squall` itself."""
    parser = ArgumentParser(prog="squall", description="Runs actions and shows their output live.")
    describe_globals(parser)
    parser.usage = "squall [options] <command> …"
    parser.formatter_class = RawDescriptionHelpFormatter
    more = "Run squall help COMMAND, or squall COMMAND --help, for the help of one command"
    lines = f"commands:\n{listing(group_of(group))}" if group is not None else listing()
    parser.epilog = f"{lines}\n{more}.\n\n{examples(group)}"
    return parser.format_help()


def _print_error(error: SquallError, debug: bool) -> int:
    from squall.client.http import NoServerError

    if debug:
        import traceback

        traceback.print_exception(error)
    hint = ": start one with `squall serve`" if isinstance(error, NoServerError) and error.refused else ""
    print(f"squall: {error}{hint}", file=sys.stderr)
    return error.exit_status


def _fill_standard_descriptors() -> None:
    """Opens closed descriptors among 0, 1 and 2: a socket with such a number would get the standard output."""
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
