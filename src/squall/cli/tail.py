"""`squall tail`: everything that an execution has printed, and what it prints from now on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli import exits
from squall.cli.screen import Style
from squall.cli.target import Target
from squall.cli.verb import Verb
from squall.cli.watch import Notices, closing_line, open_screen, show_output
from squall.client.follow import FINAL, Follower


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("execution", nargs="?", default="last", metavar="id", help="the execution (default: last)")
    parser.add_argument(
        "--type", choices=("stdout", "stderr", "output", "all"), default="all", help="show only this stream"
    )
    parser.add_argument("--include-metadata", action="store_true", help="put [time][stream] before every line")
    parser.add_argument("--timestamps", action="store_true", help="put the time before every line")
    parser.add_argument("--after", metavar="POS", help="begin behind this position")
    parser.add_argument("--no-follow", action="store_true", help="end with what is there now")


def _tail(args: Namespace, target: Target) -> int:
    with target.api() as api:
        # `last` means another execution soon: from here on it has its id.
        execution_id = str(api.execution(args.execution, only="id")["id"])
        screen = open_screen(target, Style(timestamps=args.timestamps, metadata=args.include_metadata))
        follower = Follower(
            api,
            execution_id,
            after=args.after,
            kind=args.type,
            follow=not args.no_follow,
            listener=Notices(screen),
        )
        show_output(follower, screen)
        if screen.is_terminal:
            document = follower.outcome()
            screen.note(closing_line(document))
            if document.get("status") not in FINAL and follower.position:
                screen.note(f"go on with: squall tail {execution_id} --after {follower.position}")
    return exits.OK


VERBS = {"tail": Verb(_configure, _tail)}
