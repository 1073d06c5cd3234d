"""The entry of the command line: finds the command, loads its module alone, and tells errors in one line."""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from squall.cli.terminal import exits
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.core.errors import SquallError


class Command(NamedTuple):
    """A line of the help. `module` below `squall.cli` has it in its `VERBS`; None: it runs outside the client."""

    name: str
    module: str | None
    summary: str


COMMANDS = (
    Command("run", "execution.run", "start an action and watch it; exits with its outcome"),
    Command("tail", "output.tail", "show what an execution has printed, and what it prints from now on"),
    Command("execution list", "execution.executions", "the newest executions"),
    Command("execution get", "execution.executions", "one execution with its result"),
    Command("execution cancel", "execution.executions", "cancel executions"),
    Command("execution re-run", "execution.executions", "run it once more and watch it"),
    Command("action list", "content.actions", "the actions there are"),
    Command("action get", "content.actions", "one action and its parameters"),
    Command("action create", "content.actions", "make an action from a metadata file, with its entry point"),
    Command("action delete", "content.actions", "remove an action that was made so"),
    Command("action doctor", "content.actions", "why an action's output may come late, and what helps"),
    Command("pack list", "content.packs", "the packs there are"),
    Command("pack get", "content.packs", "one pack, its files and its configuration"),
    Command("pack register", "content.packs", "look into the folders of packs again"),
    Command("pack reload", "content.packs", "the same as register"),
    Command("pack install", "content.packs", "install packs and watch it: names, git URLs, folders, archives"),
    Command("pack remove", "content.packs", "remove packs"),
    Command("pack search", "content.packs", "look for packs that can be installed"),
    Command("pack show", "content.packs", "what the index says of a pack"),
    Command("pack create", None, "make a new pack"),
    Command("pack lint", None, "what is wrong with a pack, with line numbers"),
    Command("pack test", None, "run a pack's own tests"),
    Command("pack dev", "content.packs", "register a pack again whenever one of its files is saved"),
    Command("runner list", "content.runners", "the runners there are"),
    Command("output", "output.output", "what an execution has printed so far, as text or to the byte"),
    Command("output stats", "output.output", "how much it has printed, and when"),
    Command(
        "workflow test", "workflow.workflows", "rehearse workflows: compare scripted results with what is expected"
    ),
    Command("workflow lint", "workflow.workflows", "what is wrong with a workflow, with line numbers"),
    Command("workflow graph", "workflow.workflows", "draw a workflow: text, DOT, Mermaid"),
    Command("output verify", "output.verify", "whether what an execution printed is undamaged"),
    Command("key list", "content.keys", "the keys of the datastore"),
    Command("key get", "content.keys", "one key's value"),
    Command("key set", "content.keys", "write a key"),
    Command("key delete", "content.keys", "remove keys"),
    Command("key load", "content.keys", "write the keys of a JSON file"),
    Command("storage", "output.storage", "what takes space"),
    Command("storage purge", "output.storage", "remove finished executions with their output"),
    Command("login", "access.login", "log in to a server that asks who you are"),
    Command("whoami", "access.login", "who you are to the server"),
    Command("logout", "access.login", "end the token of the last log-in"),
    Command("user add", None, "add a user who may log in"),
    Command("user passwd", None, "give a user another password"),
    Command("user remove", None, "take a user away"),
    Command("user list", None, "the users who may log in"),
    Command("serve", None, "start the server"),
    Command("status", "server", "whether a server runs, and where"),
    Command("stop", "server", "stop the server and wait for its end"),
    Command("logs", "output.logs", "the server's log"),
    Command("env", "server", "the lines that point the st2 client at the server"),
    Command("config show", None, "every setting and where its value comes from"),
    Command("backup", None, "copy the data directory, also while the server runs"),
    Command("restore", None, "put a backup into a new data directory"),
    Command("demo", None, "see it work, in a temporary directory"),
    Command("version", "terminal.version", "the version"),
)

_EXAMPLES = """\
examples:
  squall run examples.countdown count=5
  squall run core.local -- uname -a
  squall tail last
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    _fill_standard_descriptors()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        status = _dispatch(arguments)
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
    except Exception as error:
        if debug:
            raise
        print(f"squall: unexpected {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
        return exits.ERROR


def _dispatch(arguments: list[str]) -> int:
    start = _command_start(arguments)
    top = _global_parser(prog="squall", add_help=False)
    top.add_argument("-h", "--help", action="store_true")
    top.add_argument("--version", action="store_true")
    top.set_defaults(url=None, data_dir=None, debug=False)
    given = top.parse_args(arguments[:start])
    words = arguments[start:]
    if given.version:
        words = ["version"]
    if given.help or (words and words[0] == "help"):
        print(_overview(COMMANDS), end="")
        return exits.OK
    if not words:
        print(_overview(COMMANDS), end="", file=sys.stderr)
        return exits.ERROR
    command, rest = _find(words)
    if command is None:
        return exits.OK
    if command.module is None:
        raise _misused(f"write `squall {command.name}` first, its options behind it")
    verbs: Mapping[str, Verb] = import_module(f"squall.cli.{command.module}").VERBS
    verb = verbs[command.name]
    parser = _global_parser(prog=f"squall {command.name}", description=command.summary + ".")
    verb.configure(parser)
    before, after = _split(rest)
    args = parser.parse_intermixed_args(before, given)
    if after:
        if not hasattr(args, "words"):
            parser.error(f"unexpected: {' '.join(after)}")
        args.words = [*args.words, *after]
    return verb.run(args, Target(args.url, args.data_dir, args.debug, os.environ))


def _global_parser(*, prog: str, add_help: bool = True, description: str | None = None) -> ArgumentParser:
    """A parser with the options that every command takes, before or after its name."""
    parser = ArgumentParser(prog=prog, add_help=add_help, description=description, allow_abbrev=False)
    parser.add_argument("--url", default=SUPPRESS, help="the server's address (default: found by the data directory)")
    parser.add_argument("--data-dir", default=SUPPRESS, metavar="DIR", help="the server's data (default: ~/.squall)")
    parser.add_argument("--debug", action="store_true", default=SUPPRESS, help="show requests and tracebacks")
    return parser


def _command_start(arguments: Sequence[str]) -> int:
    """Where the command's name is: behind the global options and their values."""
    index = 0
    while index < len(arguments) and arguments[index].startswith("-"):
        index += 2 if arguments[index] in ("--url", "--data-dir") else 1
    return min(index, len(arguments))


def _find(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command that these words begin with and the words behind it; None when they ask for a group's help."""
    for length in (2, 1):
        for command in COMMANDS:
            if command.name == " ".join(words[:length]):
                return command, words[length:]
    group = [command for command in COMMANDS if command.name.startswith(words[0] + " ")]
    if not group:
        raise _misused(f"there is no command {words[0]!r}{_guess(words[0])}")
    if len(words) > 1 and words[1] in ("-h", "--help"):
        print(_overview(group), end="")
        return None, []
    names = ", ".join(command.name.split()[1] for command in group)
    raise _misused(f"squall {words[0]} takes one of: {names}")


def _guess(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, {command.name.split()[0] for command in COMMANDS}, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _misused(message: str) -> SystemExit:
    print(f"squall: {message} (see squall --help)", file=sys.stderr)
    return SystemExit(exits.ERROR)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is before a lone `--`, and what is behind it and therefore no option."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _overview(commands: Sequence[Command]) -> str:
    width = max(len(command.name) for command in commands)
    lines = "".join(f"  {command.name:<{width}}  {command.summary}\n" for command in commands)
    parser = _global_parser(prog="squall", description="Runs actions and shows what they print, as they print it.")
    parser.usage = "squall [options] <command> …"
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = f"commands (each has its own --help):\n{lines}\n{_EXAMPLES}"
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
