"""`squall execution list|get|cancel|re-run`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence

from squall.cli.execution.run import parameters_for
from squall.cli.execution.suggestions import suggesting_action
from squall.cli.output.watch import configure_watch, start_and_watch
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, moment, print_table, relative
from squall.cli.terminal.table import cell, dump, duration, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import Api
from squall.client.http import JsonObject, MissingError
from squall.client.suggestions import hint, suggestion
from squall.core.errors import ConflictError, InvalidError
from squall.core.execution.statuses import STATUSES

_STATUSES = f"executions in this status: {', '.join(STATUSES)}"
_LISTED = "id,action.ref,context.user,status,start_timestamp,end_timestamp,elapsed_seconds"


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-n", "--limit", type=_positive, default=50, metavar="N", help="maximum number (default: 50)")
    parser.add_argument("--status", choices=STATUSES, metavar="STATUS", help=f"only {_STATUSES}")
    parser.add_argument("--action", metavar="REF", help="only executions of this action")
    parser.add_argument("--children", action="store_true", help="include executions that workflows started")
    configure_list(parser, times=True)


def _list(args: Namespace, target: Target) -> int:
    query = {
        "limit": args.limit,
        "status": args.status,
        "action": args.action,
        "parent": None if args.children else "null",
        "include_attributes": None if args.json else _LISTED,
    }
    with target.api() as api:
        page = api.executions(query)
        told = hint(api, "actions", args.action) if args.action and not page.items else None
    if told is not None:
        print(f"squall: {told}", file=sys.stderr)
    if args.json:
        print(dump(page.items))
        return exits.OK
    rows = [_row(args, item) for item in page.items]
    started = "started" if relative(args) else "started (UTC)"
    print_table(args, ("id", "action", "user", "status", started, "took"), rows)
    if page.total > len(rows) and sys.stderr.isatty():
        print(f"shown: the newest {len(rows)} of {page.total} executions; use --limit for more", file=sys.stderr)
    return exits.OK


def _row(args: Namespace, item: JsonObject) -> tuple[object, ...]:
    started = moment(args, item.get("start_timestamp"))
    action, context = item.get("action") or {}, item.get("context") or {}
    took = duration(item.get("elapsed_seconds"))
    return (item.get("id"), action.get("ref"), context.get("user"), item.get("status"), started, took)


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("execution", metavar="id", help="the execution's id, or last")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        item = api.execution(args.execution)
    if args.json:
        print(dump(item))
        return exits.OK
    values = {
        "id": item.get("id"),
        "action": (item.get("action") or {}).get("ref"),
        "user": (item.get("context") or {}).get("user"),
        "rule": (item.get("rule") or {}).get("ref"),
        "event": (item.get("trigger_instance") or {}).get("id"),
        "status": item.get("status"),
        "waiting": item.get("waiting"),
        "started": item.get("start_timestamp"),
        "ended": item.get("end_timestamp"),
        "took": duration(item.get("elapsed_seconds")),
        "parameters": item.get("parameters"),
        "result": item.get("result"),
    }
    print(fields(values))
    return exits.OK


_FILTERS = ("action", "runner", "status", "user")


def _configure_filters(parser: ArgumentParser) -> None:
    for name in _FILTERS:
        parser.add_argument(
            f"--{name}",
            choices=STATUSES if name == "status" else None,
            metavar=name.upper(),
            help=f"instead of ids: every execution of this {name}, at most 1000",
        )


def _filters(args: Namespace) -> dict[str, str]:
    return {name: value for name in _FILTERS if (value := getattr(args, name))}


def _print_results(answers: Iterable[JsonObject]) -> int:
    """Prints the result for each execution. Returns exit status 2 if one of them does not exist, else 1 if one
    failed."""
    status, is_empty = exits.OK, True
    for answer in answers:
        is_empty = False
        if "faultstring" in answer:
            print(f"{answer.get('id')}: {cell(answer['faultstring'])}", file=sys.stderr)
            status = max(status, exits.ERROR if answer.get("missing") else exits.FAILED)
        else:
            print(" ".join(cell(answer[key]) for key in ("id", "execution", "status") if key in answer))
    if is_empty:
        print("no execution matches these filters", file=sys.stderr)
    return status


def _configure_cancel(parser: ArgumentParser) -> None:
    parser.add_argument("executions", nargs="*", metavar="id", help="the executions' ids")
    _configure_filters(parser)


def _cancel(args: Namespace, target: Target) -> int:
    """Cancels executions. Returns exit status 2 if one of them does not exist, else 1 if one could not be canceled."""
    filters = _filters(args)
    if bool(args.executions) == bool(filters):
        raise InvalidError(f"cancel needs either ids, or one or more of --{', --'.join(_FILTERS)}")
    with target.api() as api:
        if filters:
            return _print_results(api.many("cancel", [], filters))
        return _print_results(_each(api, args.executions, api.cancel))


def _configure_status(parser: ArgumentParser) -> None:
    parser.add_argument("executions", nargs="+", metavar="id", help="the executions' ids, or last")


def _status_verb(status: str) -> Callable[[Namespace, Target], int]:
    """Returns a verb that requests this status. Its exit status is 2 if one execution does not exist, else 1 if one
    could not get the status."""

    def run(args: Namespace, target: Target) -> int:
        with target.api() as api:
            return _print_results(_each(api, args.executions, lambda each: api.change_status(each, status)))

    return run


def _each(api: Api, executions: Sequence[str], change: Callable[[str], JsonObject]) -> Iterator[JsonObject]:
    """Calls `change` for each execution. Yields its document, or an object with `id` and `faultstring`, and with
    `missing` if there is no such execution. `last` is resolved to an id first, because not every route accepts it."""
    for execution in executions:
        try:
            execution_id = str(api.execution(execution, only="id")["id"]) if execution == "last" else execution
            yield {"id": execution_id, **change(execution_id)}
        except MissingError as error:
            yield {"id": execution, "faultstring": suggestion(api, error) or str(error), "missing": True}
        except (InvalidError, ConflictError) as error:
            yield {"id": execution, "faultstring": str(error)}


def _configure_run_again(parser: ArgumentParser) -> None:
    parser.add_argument("execution", nargs="?", metavar="id", help="the execution's id, or last")
    parser.add_argument("words", nargs="*", metavar="name=value", help="a parameter to change, as in squall run")
    parser.add_argument(
        "--also", action="append", default=[], metavar="ID", help="run this one too; then no output is shown"
    )
    group = parser.add_argument_group("for a workflow that has ended")
    group.add_argument(
        "--from-failed",
        action="store_true",
        help="run only the failed tasks and those after them; the same as --tasks '*'",
    )
    group.add_argument("--tasks", nargs="+", default=[], metavar="TASK", help="run these tasks and those after them")
    group.add_argument(
        "--reset",
        nargs="+",
        default=[],
        metavar="TASK",
        help="run all items of these tasks, not only the failed ones",
    )
    _configure_filters(parser)
    configure_watch(parser)


def _run_again(args: Namespace, target: Target) -> int:
    filters = _filters(args)
    if bool(args.execution) == bool(filters) or (args.also and (filters or args.words)):
        raise InvalidError(
            f"re-run needs one of: an id with parameters; ids (--also); one or more of --{', --'.join(_FILTERS)}"
        )
    tasks = ["*"] if args.from_failed else args.tasks
    if args.from_failed and args.tasks:
        raise InvalidError(
            "--from-failed and --tasks exclude each other: use --from-failed for the failed tasks, --tasks for others"
        )
    if (tasks or args.reset) and (filters or args.also or args.words):
        raise InvalidError(
            "--from-failed, --tasks and --reset need one id without parameters: the workflow continues with its own"
        )
    if filters or args.also:
        with target.api() as api:
            return _print_results(api.many("re_run", [args.execution, *args.also] if args.also else [], filters))

    def start(api: Api) -> JsonObject:
        original = api.execution(args.execution, only="id,action.ref")
        ref = str(original["action"]["ref"])
        with suggesting_action(api, ref, args.words):
            parameters = parameters_for(api, ref, args.words)
            return api.run_again(str(original["id"]), parameters, args.delay, tasks, args.reset)

    return start_and_watch(args, target, start)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


VERBS = {
    "execution list": Verb(_configure_list, _list),
    "execution get": Verb(_configure_get, _get),
    "execution cancel": Verb(_configure_cancel, _cancel),
    "execution pause": Verb(_configure_status, _status_verb("pausing")),
    "execution resume": Verb(_configure_status, _status_verb("resuming")),
    "execution re-run": Verb(_configure_run_again, _run_again),
}
