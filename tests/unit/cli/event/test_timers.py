"""The commands about timers, over a client that answers from the test."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from squall.cli.event.timers import VERBS
from squall.cli.terminal.target import Target
from squall.core.errors import InvalidError
from squall.core.timestamp import from_iso

TIMER = {
    "ref": "core.t1", "id": "1", "type": "core.st2.CronTimer", "parameters": {"hour": 3}, "rules": ["p.r"],
    "next_fire_at": "2026-01-31T03:00:00.000000Z", "last_fire_at": None, "missed_fires": 2, "paused": None,
}  # fmt: skip
FIRE = {"at": "2026-01-31T03:00:00.000000Z", "local": "2026-01-31T04:00:00+01:00", "note": "moved"}


class Answering:
    """A target whose client answers each request with the next body, and keeps what was sent."""

    def __init__(self, *bodies: Any) -> None:
        self.client = self
        self.sent: list[tuple[str, str, Any, Any]] = []
        self._bodies = list(bodies)

    @contextmanager
    def api(self) -> Iterator[Answering]:
        yield self

    def request(self, method: str, path: str, *, query: Any = None, body: Any = None) -> Namespace:
        self.sent.append((method, path, query, body))
        return Namespace(body=self._bodies.pop(0))


def run(command: str, *bodies: Any, **words: Any) -> Answering:
    target = Answering(*bodies)
    VERBS[f"timer {command}"].run(Namespace(**{"json": False, "wide": True, **words}), cast(Target, target))
    return target


def test_timers_are_listed_with_their_rules_and_next_fires(capsys: pytest.CaptureFixture[str]) -> None:
    paused = {**TIMER, "ref": "core.t2", "paused": {"by": "ada"}}
    sent = run("list", [TIMER, paused], type="core.st2.CronTimer").sent
    assert sent[0][2]["timer_type"] == "core.st2.CronTimer"
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.split() == ["core.t1", "p.r", "CronTimer", "hour=3", "2026-01-31", "03:00:00", "2"]
    assert "paused" in second


def test_all_pages_of_timers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    run("list", [TIMER] * 100, [TIMER], type=None)
    assert len(capsys.readouterr().out.splitlines()) == 102


def test_a_timer_says_who_paused_it_why_and_until_when(capsys: pytest.CaptureFixture[str]) -> None:
    pause = {"by": "ada", "reason": "deploy", "until": "2026-02-01T00:00:00.000000Z"}
    run("get", {**TIMER, "paused": pause}, timer="p.r")
    assert "by ada until 2026-02-01 00:00:00: deploy" in capsys.readouterr().out


def test_a_preview_has_local_times_and_notes_or_the_reason_why_it_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("preview", {"fires": [FIRE], "reason": ""}, timer="p.r", count=3).sent[0][2] == {"count": 3}
    assert "2026-01-31T04:00:00+01:00  2026-01-31 03:00:00  moved" in capsys.readouterr().out
    run("preview", {"fires": [], "reason": "The date is over."}, timer="p.r", count=3)
    assert capsys.readouterr().out == "The timer does not fire any more. The date is over.\n"


def test_a_pause_for_a_span_ends_that_much_later(capsys: pytest.CaptureFixture[str]) -> None:
    document = {**TIMER, "paused": {"until": "2026-02-01T00:00:00.000000Z"}}
    [(_, path, _, first)] = run("pause", document, timers=["p.r"], reason="x", span="1h", until=None).sent
    [(_, _, _, second)] = run("pause", document, timers=["p.r"], reason="x", span="2h", until=None).sent
    assert path == "/timers/p.r/pause"
    later = from_iso(second["until"], "") - from_iso(first["until"], "")
    assert later >= 3_600_000_000
    assert capsys.readouterr().out.startswith("p.r is paused until 2026-02-01 00:00:00 UTC\n")


@pytest.mark.parametrize("span", ["soon", "2030-01-01", "2030-01-01T00:00:00Z"])
def test_a_pause_for_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(InvalidError, match=r"^--for: "):
        run("pause", timers=["p.r"], reason="", span=span, until=None)


def test_a_backfill_takes_times_and_spans_ago(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"fires": [{**FIRE, "result": "would happen"}]}
    words = {"timer": "p.r", "begin": "2026-01-31T00:00:00Z", "end": "1h ago", "limit": 5, "dry_run": True}
    [(_, _, _, body)] = run("backfill", answer, **words).sent
    assert (body["from"], body["limit"], body["dry_run"]) == ("2026-01-31T00:00:00.000000Z", 5, True)
    assert "would happen" in capsys.readouterr().out
    run("backfill", {"fires": []}, **words)
    assert "no fires in this range" in capsys.readouterr().err
