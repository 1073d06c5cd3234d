"""`squall tail`: prints the output of an execution so far, then follows it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli.output.tasks import TaskOptions, is_workflow, show_tasks
from squall.cli.output.watch import Notices, open_screen, show_output, tell_ending
from squall.cli.terminal import exits
from squall.cli.terminal.screen import Style
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.follow import FINAL, Follower


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("execution", nargs="?", default="last", metavar="id", help="the execution (default: last)")
    parser.add_argument(
        "--type", choices=("stdout", "stderr", "output", "all"), default="all", help="show only this stream"
    )
    parser.add_argument("--include-metadata", action="store_true", help="put [time][stream] before every line")
    parser.add_argument("--timestamps", action="store_true", help="put the time before every line")
    parser.add_argument("--after", metavar="POS", help="begin after this position")
    parser.add_argument("--no-follow", action="store_true", help="stop at the present end of the output")
    configure_lines(parser)
    parser.add_argument("--no-names", action="store_true", help="for a workflow: do not print the task of each line")
    parser.add_argument(
        "--skip", action="store_true", help="if the reader is far behind, jump to the present; a note names the gap"
    )


_CHOSEN = {
    "tail": "tail",
    "since": "since",
    "until": "until",
    "from_line": "from_line",
    "to_line": "to_line",
    "grep": "grep",
    "context": "context",
    "ignore_case": "ignore_case",
    "fixed": "fixed",
    "task": "task",
    "action": "action",
    "depth": "depth",
}


def configure_lines(parser: ArgumentParser) -> None:
    """Adds the options that select lines, and executions of a tree."""
    parser.add_argument("-n", "--tail", metavar="N", help="begin with the last N lines")
    parser.add_argument("--since", metavar="TIME", help="only lines since this time: 5m, 2h, or 2026-01-31T12:00:00Z")
    parser.add_argument("--until", metavar="TIME", help="only lines before this time")
    parser.add_argument("--from-line", metavar="N", help="begin with this line; each execution has its own numbers")
    parser.add_argument("--to-line", metavar="N", help="end with this line")
    parser.add_argument("-g", "--grep", metavar="REGEX", help="only lines that match (RE2)")
    parser.add_argument("-C", "--context", metavar="N", help="with --grep: also N lines around each match")
    parser.add_argument("-i", "--ignore-case", action="store_const", const="true", help="with --grep: ignore case")
    parser.add_argument("-F", "--fixed", action="store_const", const="true", help="with --grep: search for plain text")
    parser.add_argument("--task", metavar="NAME", help="only this task of a workflow (several: a,b)")
    parser.add_argument("--action", metavar="REF", help="only executions of this action (several: a,b)")
    parser.add_argument("--depth", metavar="N", help="only N levels below the execution; 0 is the execution itself")


def chosen_lines(args: Namespace) -> dict[str, str]:
    """Returns the parameters of the request for those options."""
    values = {name: getattr(args, option) for option, name in _CHOSEN.items()}
    return {name: value for name, value in values.items() if value is not None}


def _tail(args: Namespace, target: Target) -> int:
    with target.api() as api:
        # `last` may soon name another execution, so use the id from here on.
        execution = api.execution(args.execution, only="id,action.runner_type")
        execution_id = str(execution["id"])
        screen = open_screen(target, Style(timestamps=args.timestamps, metadata=args.include_metadata))
        follower = Follower(
            api,
            execution_id,
            after=args.after,
            kind=args.type,
            follow=not args.no_follow,
            lines={**chosen_lines(args), **({"lag": "skip"} if args.skip else {})},
            listener=Notices(screen),
        )
        if is_workflow(execution) and not args.no_names:
            show_tasks(follower, screen, api, execution_id, TaskOptions())
        else:
            show_output(follower, screen)
        if not screen.is_terminal:
            # A script must get only the action's output on both streams.
            return exits.OK
        document = follower.outcome()
        tell_ending(api, screen, document)
        if document.get("status") not in FINAL and follower.position:
            screen.note(f"continue with: squall tail {execution_id} --after {follower.position}")
    return exits.OK


VERBS = {"tail": Verb(_configure, _tail)}
