"""`squall run`: start an action and watch it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from squall.cli.execution.parameters import merge_schemas, read_parameters
from squall.cli.output.watch import configure_watch, start_and_watch
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import Api
from squall.client.http import JsonObject


def parameters_for(api: Api, action_ref: str, words: Sequence[str]) -> dict[str, Any]:
    """The parameters that these words mean for this action. Raises `NotFoundError`, `InvalidError`."""
    if not words:
        return {}
    action = api.action(action_ref)
    runner = api.runner(str(action.get("runner_type")))
    schemas = merge_schemas(runner.get("runner_parameters") or {}, action.get("parameters") or {})
    return read_parameters(words, schemas)


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("action", help="its reference, such as core.local")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="name=value",
        help="a parameter; @name=path takes it from a file; words of another form become cmd",
    )
    configure_watch(parser)


def _run(args: Namespace, target: Target) -> int:
    def start(api: Api) -> JsonObject:
        parameters = parameters_for(api, args.action, args.words)
        return api.request_execution(args.action, parameters, args.delay)

    return start_and_watch(args, target, start)


VERBS = {"run": Verb(_configure, _run)}
