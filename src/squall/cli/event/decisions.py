"""`squall rule explain|backtest|tail` and `squall trigger explain`: why rules fire or not."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from squall.cli.event.documents import mapping_in, payload_of
from squall.cli.event.past import past_time
from squall.cli.event.trigger_names import trigger_text, trigger_texts
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list
from squall.cli.terminal.table import cell, dump
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.event import rules
from squall.client.follow import PATIENCE
from squall.client.http import JsonObject
from squall.core.errors import InvalidError

_RULE = "the rule's reference, or @FILE with a rule that is not stored"
_WIDEST = 60
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

OUTCOMES = {
    "fired": "fired",
    "failed": "failed",
    "no_match": "does not match",
    "disabled": "is disabled",
    "other_matched": "left it to the rules that matched",
    "kept_back": "matches, but was kept back",
    "not_evaluated": "is not evaluated yet",
    "would_fire": "would fire",
    "would_wait": "matches, but would not fire at once",
}
"""The words for the outcomes of decisions."""


def _configure_explain(parser: ArgumentParser) -> None:
    parser.add_argument("rule", help=_RULE)
    parser.add_argument("event", nargs="?", help="the id of a trigger instance, or a payload: JSON or @FILE")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _explain(args: Namespace, target: Target) -> int:
    body: JsonObject = {"rule": _rule(args.rule)}
    if args.event and not args.event.startswith(("{", "@")):
        body["instance"] = args.event
    else:
        body["payload"] = payload_of(args.event)
    with target.api() as api:
        decision = rules.explain(api.client, body)
    print(dump(decision) if args.json else "\n".join(lines_of(decision)))
    return exits.OK if decision.get("outcome") in ("fired", "would_fire", "would_wait") else exits.FAILED


def _rule(text: str) -> Any:
    return mapping_in(Path(text[1:])) if text.startswith("@") else text


def lines_of(decision: JsonObject) -> Iterator[str]:
    """Yields the lines that show a decision: its outcome, each criterion, and the parameters or the reason."""
    rule = decision["rule"]["ref"] or "the rule"
    matches = "matches" if decision.get("matches") else "does not match"
    yield f"{rule} {OUTCOMES.get(decision.get('outcome', ''), matches)}"
    for each in decision.get("criteria", []):
        yield f"  {_mark(each.get('verdict'))} {each['key']} {_comparison(each)}"
    for name, value in decision.get("parameters", {}).items():
        yield f"  {name} = {_short(value)}"
    for name, text in (
        ("reason", decision.get("failure_reason") or decision.get("reason")),
        ("execution", decision.get("execution_id")),
        ("note", decision.get("note")),
    ):
        if text:
            yield f"  {name}: {cell(text)}"


def _mark(verdict: bool | None) -> str:
    return "-" if verdict is None else "yes" if verdict else "NO "


def _comparison(criterion: JsonObject) -> str:
    if criterion.get("verdict") is None:
        return f"{criterion['type']} (not compared)"
    value = _short(criterion.get("value")) if criterion.get("exists") else "nothing"
    error = f": {cell(criterion['error'])}" if criterion.get("error") else ""
    return f"({value}) {criterion['type']} {_short(criterion.get('pattern'))}{error}"


def _short(value: Any) -> str:
    text = cell(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _configure_backtest(parser: ArgumentParser) -> None:
    parser.add_argument("rule", help=_RULE)
    parser.add_argument("--from", dest="after", metavar="TIME", help="only later events; or a span such as 2h ago")
    parser.add_argument("--to", dest="before", metavar="TIME", help="only earlier events; or a span")
    parser.add_argument("-n", type=int, default=1_000, metavar="COUNT", help="how many of the newest events (1000)")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _backtest(args: Namespace, target: Target) -> int:
    body: JsonObject = {"rule": _rule(args.rule), "limit": args.n}
    body |= {key: value for key, value in _span(args) if value}
    with target.api() as api:
        report = rules.backtest(api.client, body)
    if args.json:
        print(dump(report))
        return exits.OK
    span = f" from {report['oldest']} to {report['newest']}" if report.get("oldest") else ""
    count = report["evaluated"]
    trigger = trigger_text(report["trigger_type"], report.get("trigger_parameters"))
    print(f"{count} event{'' if count == 1 else 's'} of {trigger}{span}, compared with {report['compared_with']}:")
    for name, words in (
        ("would_fire", "would run the action"),
        ("would_start", "would run it and did not"),
        ("would_stop", "would not run it and did"),
        ("kept_back", "match, but were kept back when they came"),
        ("unchanged", "are decided as before"),
        ("failed", "fail"),
    ):
        print(f"  {report[name]:>7}  {words}")
    if report.get("note"):
        print(f"note: {cell(report['note'])}")
    for name, examples in report.get("examples", {}).items():
        for each in examples:
            print(
                f"\n{name.replace('_', ' ')}: event {each.get('trigger_instance') or each.get('trigger_instance_id')}"
            )
            print("\n".join(f"  {line}" for line in lines_of(each)))
    return exits.OK


def _span(args: Namespace) -> Iterator[tuple[str, str | None]]:
    for key, text in (("from", args.after), ("to", args.before)):
        yield key, past_time(text, f"--{key}") if text else None


def _configure_tail(parser: ArgumentParser) -> None:
    parser.add_argument("rule", help="the rule's reference, or its id")
    parser.add_argument("--after", metavar="NUMBER", help="begin behind this position; 0 shows all stored events")
    parser.add_argument("-j", "--json", action="store_true", help="print each decision as one line of JSON")


def _tail(args: Namespace, target: Target) -> int:
    position, pause, lost_at = args.after, _SHORTEST_PAUSE, 0.0
    if position is not None and not position.isdigit():
        raise InvalidError(f"--after: {position!r} is no position. Use 0, or an id that the stream has sent.")
    with target.api() as api:
        while True:
            try:
                for latest, decision in rules.decisions(api.client, args.rule, position):
                    position, pause, lost_at = latest, _SHORTEST_PAUSE, 0.0
                    if decision is None:
                        continue
                    text = json.dumps(decision, ensure_ascii=False) if args.json else "\n".join(_with_event(decision))
                    print(text, flush=True)
            except rules.LOST:
                lost_at = lost_at or time.monotonic()
                if position is None or time.monotonic() - lost_at > PATIENCE:
                    raise
            # The server has ended or restarted: the stream goes on behind the last decision.
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _with_event(decision: JsonObject) -> Iterator[str]:
    instance = decision.get("trigger_instance") or {}
    identity = instance.get("id") if isinstance(instance, dict) else instance
    stamp = instance.get("occurrence_time", "") if isinstance(instance, dict) else ""
    yield f"{stamp} event {identity}".strip()
    yield from (f"  {line}" for line in lines_of(decision))


def _configure_trigger_explain(parser: ArgumentParser) -> None:
    parser.add_argument("instance", help="the id of a trigger instance")
    configure_list(parser)


def _trigger_explain(args: Namespace, target: Target) -> int:
    with target.api() as api:
        answer = rules.explain_instance(api.client, args.instance)
        if args.json:
            print(dump(answer))
            return exits.OK
        instance = answer["trigger_instance"]
        trigger = trigger_texts(api.client, (instance["trigger"],))[instance["trigger"]]
    print(f"{instance['id']}: an event of {trigger} at {instance['occurrence_time']}, {instance['status']}")
    if instance.get("failure_reason"):
        print(f"  reason: {cell(instance['failure_reason'])}")
    for decision in answer["rules"]:
        print("\n".join(lines_of(decision)))
    if not answer["rules"]:
        print("no rule has this trigger")
    if answer.get("rules_left_out"):
        print(f"… and {answer['rules_left_out']} more rules")
    return exits.OK


VERBS = {
    "rule explain": Verb(_configure_explain, _explain),
    "rule backtest": Verb(_configure_backtest, _backtest),
    "rule tail": Verb(_configure_tail, _tail),
    "trigger explain": Verb(_configure_trigger_explain, _trigger_explain),
}
