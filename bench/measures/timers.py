"""Timers: what they cost until their time comes, and how late they fire then."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.context import Bench, BrokenError, percentile
from bench.goals import IDLE_TIMERS, LATENESS
from bench.measures.backlog import processor_seconds
from bench.rows import Row
from bench.servers import Squall, squall
from bench.wire import Connection, post_many

_CONNECTIONS = 8
_TOGETHER = 1_000
_WATCHED = 10.0
_PATIENCE = 60.0


def timers(bench: Bench) -> Iterator[Row]:
    """Makes many timers that are not due, and watches them wait beside one that fires each second. Then lets a thousand
    fire at one moment."""
    count = bench.sized(100_000, 2_000)
    fires = bench.sized(60, 10)
    with squall(bench) as server:
        _make(server, "IntervalTimer", {"unit": "weeks", "delta": 10}, count)
        busy = processor_seconds(server.pid)
        time.sleep(_WATCHED)
        share = (processor_seconds(server.pid) - busy) / _WATCHED * 100
        _make(server, "IntervalTimer", {"unit": "seconds", "delta": 1}, 1)
        alone = _lateness(server, "IntervalTimer", fires)
        moment = time.time() + bench.sized(15, 10)
        _make(server, "DateTimer", {"date": datetime.fromtimestamp(moment, UTC).isoformat()}, _TOGETHER)
        if time.time() >= moment:
            raise BrokenError(f"making {_TOGETHER} timers took until they were due")
        time.sleep(max(0.0, moment - time.time()))
        together = _lateness(server, "DateTimer", _TOGETHER)
    yield Row(f"processor of the server while {count:,} timers wait for their time", "%", share, goal=IDLE_TIMERS)
    yield Row("a timer fires too late, p99", "ms", percentile(alone, 0.99), goal=LATENESS[1])
    yield Row(
        f"{_TOGETHER:,} timers at one moment fire too late, p99", "ms", percentile(together, 0.99), goal=LATENESS[1000]
    )


def _make(server: Squall, kind: str, parameters: dict[str, object], count: int) -> None:
    body = {"type": f"core.st2.{kind}", "parameters": parameters}
    post_many(server.port, "/v1/triggers", body, count, _CONNECTIONS)


def _lateness(server: Squall, kind: str, count: int) -> list[float]:
    """Returns how late the fires of a type of timers happened, in ms, when there are `count` of them."""
    connection = Connection(server.port)
    until = time.monotonic() + count + _PATIENCE
    path = f"/v1/triggerinstances?trigger_type=core.st2.{kind}&limit=-1"
    while time.monotonic() < until:
        _, _, content = connection.request("GET", path)
        payloads = [each["payload"] for each in json.loads(content)]
        if len(payloads) >= count:
            connection.close()
            return [_late(each) for each in payloads]
        time.sleep(0.5)
    raise BrokenError(f"{len(payloads)} of {count} timers have fired")


def _late(payload: dict[str, str]) -> float:
    happened, nominal = (datetime.fromisoformat(payload[name]) for name in ("executed_at", "nominal_at"))
    return (happened - nominal).total_seconds() * 1000
