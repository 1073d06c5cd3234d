"""`squall run`: starts an action and shows its output."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from squall.cli.execution.described import parameter_table, schemas_of
from squall.cli.execution.parameters import read_parameters
from squall.cli.execution.suggestions import suggesting_action
from squall.cli.output.watch import configure_watch, start_and_watch
from squall.cli.terminal import exits
from squall.cli.terminal.table import block
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import Api
from squall.client.http import JsonObject


def parameters_for(api: Api, action_ref: str, words: Sequence[str]) -> dict[str, Any]:
    """Returns the parameters of this action in these words. Raises `NotFoundError`, `InvalidError`."""
    if not words:
        return {}
    return read_parameters(words, schemas_of(api, api.action(action_ref)))


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("action", help="the action's reference, such as core.local")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="name=value",
        help="a parameter; @name=path reads it from a file; words of another form become cmd",
    )
    configure_watch(parser)


def _run(args: Namespace, target: Target) -> int:
    def start(api: Api) -> JsonObject:
        with suggesting_action(api, args.action, args.words):
            parameters = parameters_for(api, args.action, args.words)
            return api.request_execution(args.action, parameters, args.delay)

    return start_and_watch(args, target, start)


def _help(parser: ArgumentParser, words: list[str], target: Target) -> int | None:
    """Prints the help of an action with its parameters. Returns None if the words do not request help or name no
    action."""
    names = [word for word in words if not word.startswith("-")]
    if not names or not {"-h", "--help"} & {*words}:
        return None
    rest = [word for word in words if word not in ("-h", "--help")]
    ref = str(parser.parse_intermixed_args(rest).action)
    with target.api() as api:
        with suggesting_action(api, ref):
            action = api.action(ref)
        schemas = schemas_of(api, action)
    required = "".join(f" {name}=…" for name, schema in sorted(schemas.items()) if schema.get("required"))
    print(f"usage: squall run {action['ref']}{required}{' [name=value …]' if schemas else ''}\n")
    if description := action.get("description"):
        print(f"{block(description)}\n")
    print(f"{parameter_table(schemas)}\n" if schemas else "The action has no parameters.\n")
    print("For the options of squall run itself, run: squall run --help")
    return exits.OK


VERBS = {"run": Verb(_configure, _run, _help)}
