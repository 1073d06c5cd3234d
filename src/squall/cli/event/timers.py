"""`squall timer list|get|preview|missed|pause|resume|backfill`: triggers that fire by a schedule."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Any

from squall.cli.event.past import past_time
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import cell, dump, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.times import exact
from squall.cli.terminal.verb import Verb
from squall.client.event import timers
from squall.client.http import JsonObject
from squall.core.errors import InvalidError
from squall.core.timespan import moment
from squall.core.timestamp import to_iso

_COUNT = 10
_TIMER = "the ref of a rule that the timer starts, or the ref or id of the timer"


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-t", "--type", help="only timers of this type, such as core.st2.CronTimer")
    configure_list(parser)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        documents = timers.timers(api.client, args.type)
    if args.json:
        print(dump(documents))
        return exits.OK
    rows = [
        (
            each["ref"],
            ", ".join(each.get("rules") or ()),
            str(each["type"]).removeprefix("core.st2."),
            _parameters(each),
            "paused" if each.get("paused") else exact(each.get("next_fire_at")),
            exact(each.get("last_fire_at")),
            each.get("missed_fires"),
        )
        for each in documents
    ]
    print_table(args, ("ref", "rules", "type", "parameters", "next fire (UTC)", "last fire (UTC)", "missed"), rows)
    return exits.OK


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("timer", help=_TIMER)
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        _print_timer(args, timers.timer(api.client, args.timer))
    return exits.OK


def _configure_preview(parser: ArgumentParser) -> None:
    parser.add_argument("timer", help=_TIMER)
    parser.add_argument("-n", "--count", type=int, default=_COUNT, help="number of fires (default: 10)")
    configure_list(parser)


def _preview(args: Namespace, target: Target) -> int:
    with target.api() as api:
        answer = timers.preview(api.client, args.timer, args.count)
    if args.json:
        print(dump(answer))
    elif answer["fires"]:
        rows = [(each["local"], exact(each["at"]), each.get("note")) for each in answer["fires"]]
        print_table(args, ("local time", "UTC", "note"), rows)
    else:
        print(f"The timer does not fire any more. {cell(answer.get('reason'))}".strip())
    return exits.OK


def _configure_missed(parser: ArgumentParser) -> None:
    parser.add_argument("timer", help=_TIMER)
    parser.add_argument("-n", "--count", type=int, default=100, help="number of records (default: 100)")
    configure_list(parser)


def _missed(args: Namespace, target: Target) -> int:
    with target.api() as api:
        documents = timers.missed(api.client, args.timer, args.count)
    if args.json:
        print(dump(documents))
    else:
        rows = [(exact(each["at"]), exact(each["last"]), each.get("fires"), each["reason"]) for each in documents]
        print_table(args, ("first (UTC)", "last (UTC)", "fires", "reason"), rows)
    return exits.OK


def _configure_pause(parser: ArgumentParser) -> None:
    parser.add_argument("timers", nargs="+", metavar="timer", help=_TIMER)
    parser.add_argument("-r", "--reason", help="why, for the others")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--for", dest="span", metavar="SPAN", help="how long, such as 30m, 2h or 1d")
    end.add_argument("--until", metavar="TIME", help="until when, such as 2026-01-31T12:00:00Z")


def _pause(args: Namespace, target: Target) -> int:
    """Pauses timers. Raises `InvalidError` for a span or time that cannot be read."""
    until = args.until if args.span is None else _after(args.span)
    with target.api() as api:
        for each in args.timers:
            document = timers.pause(api.client, each, args.reason or "", until)
            end = (document.get("paused") or {}).get("until")
            print(f"{each} is paused " + (f"until {exact(end)} UTC" if end else "until it is resumed"))
    return exits.OK


def _configure_resume(parser: ArgumentParser) -> None:
    parser.add_argument("timers", nargs="+", metavar="timer", help=_TIMER)


def _resume(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for each in args.timers:
            document = timers.resume(api.client, each)
            print(f"{each} is resumed; its next fire: {exact(document.get('next_fire_at')) or 'none'} UTC")
    return exits.OK


def _configure_backfill(parser: ArgumentParser) -> None:
    parser.add_argument("timer", help=_TIMER)
    parser.add_argument("--from", dest="begin", required=True, metavar="TIME", help="a time, or a span such as 2h ago")
    parser.add_argument("--to", dest="end", metavar="TIME", default="0s", help="the same (default: now)")
    parser.add_argument("--limit", type=int, help="the most fires (default: 100, at most 1000)")
    parser.add_argument("--dry-run", action="store_true", help="only list the fires")
    configure_list(parser)


def _backfill(args: Namespace, target: Target) -> int:
    """Lets past fires happen. Raises `InvalidError` for a time that cannot be read."""
    begin, end = past_time(args.begin, "--from"), past_time(args.end, "--to")
    with target.api() as api:
        fires = timers.backfill(api.client, args.timer, begin, end, args.limit, dry_run=args.dry_run)
    if args.json:
        print(dump(fires))
        return exits.OK
    if not fires:
        print("The timer has no fires in this range.", file=sys.stderr)
        return exits.OK
    rows = [(each["local"], each["result"], each.get("trigger_instance_id"), each.get("note")) for each in fires]
    print_table(args, ("local time", "result", "trigger instance", "note"), rows)
    return exits.OK


def _print_timer(args: Namespace, document: JsonObject) -> None:
    if args.json:
        print(dump(document))
        return
    pause = document.get("paused")
    shown: dict[str, Any] = {
        "ref": document["ref"],
        "id": document["id"],
        "type": document["type"],
        "rules": ", ".join(document.get("rules") or ()),
        "parameters": document.get("parameters"),
        "next fire": exact(document.get("next_fire_at")),
        "last fire": exact(document.get("last_fire_at")),
        "missed fires": document.get("missed_fires"),
    }
    if pause:
        end = exact(pause.get("until")) or "it is resumed"
        reason = f": {pause['reason']}" if pause.get("reason") else ""
        shown["paused"] = f"by {pause.get('by')} until {end}{reason}"
    print(fields(shown))


def _parameters(document: JsonObject) -> str:
    return " ".join(f"{name}={cell(value)}" for name, value in (document.get("parameters") or {}).items())


def _now() -> int:
    return time.time_ns() // 1000


def _after(span: str) -> str:
    """Returns the time (ISO 8601) a span after now. Raises `InvalidError`."""
    now = _now()
    before = moment(span, "--for", now)
    if before > now or "T" in span or "-" in span:
        raise InvalidError(f"--for: {span!r} is not a span such as 30m, 2h or 1d")
    return to_iso(2 * now - before)


VERBS = {
    "timer list": Verb(_configure_list, _list),
    "timer get": Verb(_configure_get, _get),
    "timer preview": Verb(_configure_preview, _preview),
    "timer missed": Verb(_configure_missed, _missed),
    "timer pause": Verb(_configure_pause, _pause),
    "timer resume": Verb(_configure_resume, _resume),
    "timer backfill": Verb(_configure_backfill, _backfill),
}
