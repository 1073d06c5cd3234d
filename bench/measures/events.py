"""How fast events become executions: webhooks, rules, and many of both."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from bench.context import Bench, BrokenError, median, percentile
from bench.goals import BACKTEST, EVALUATED, HOOKED, HOOKS_RATE, MANY_RULES
from bench.measures.executions import Updates, succeeded
from bench.rows import Row
from bench.servers import Squall, floor, squall
from bench.wire import Connection, post_many

_CONNECTIONS = 8
_PATIENCE = 120.0
_RULES = 10
_MANY_RULES = 10_000
_TOTAL = re.compile(rb"(?i)\r\nx-total-count: *(\d+)")
_BODY = {"ref": "refs/heads/main", "number": 7, "sender": {"login": "ada", "id": 17}, "labels": ["a", "b"]}


def webhooks(bench: Bench) -> Iterator[Row]:
    """A webhook that one rule turns into an execution: one by one, and as many as the server takes."""
    count, many = bench.sized(100, 50), bench.sized(1500, 500)
    with squall(bench) as ours, floor(bench) as theirs:
        _add_rule(ours, "hooked", "hooked")
        took, answered = bench.in_turns(partial(_to_running, ours, count), partial(_answered, theirs.port, count))
        for share, goal in ((0.5, HOOKED), (0.99, None)):
            yield Row(
                f"webhook → running, core.noop, p{share * 100:.0f}",
                "ms",
                median([percentile(seconds, share) * 1000 for seconds in took]),
                median([percentile(seconds, share) * 1000 for seconds in answered]),
                goal,
            )
        rates, floors = bench.in_turns(partial(_finished, ours, many), partial(_posted, theirs.port, many))
        name = f"finished executions of webhooks, core.noop, {_CONNECTIONS} connections"
        yield Row(name, "1/s", median(rates), median(floors), HOOKS_RATE, more=True)


def rules(bench: Bench) -> Iterator[Row]:
    """Events that many rules are evaluated for, without a match."""
    count = bench.sized(4000, 1000)
    with squall(bench) as ours:
        for number in range(_RULES):
            _add_rule(ours, f"no{number}", "quiet", {"trigger.body.number": {"type": "eq", "pattern": -number}})
        rates, _ = bench.in_turns(partial(_evaluated, ours, count), lambda: None)
        name = f"webhooks stored and evaluated against {_RULES} rules without a match, {_CONNECTIONS} connections"
        yield Row(name, "1/s", median(rates), None, EVALUATED, more=True)
    with squall(bench) as ours:
        connection = Connection(ours.port)
        for number in range(_MANY_RULES):
            criteria = {
                "trigger.body.sender.login": {"type": "eq", "pattern": f"user {number}"},
                "trigger.body.number": {"type": "gt", "pattern": 3},
            }
            connection.post("/v1/rules", _rule(f"many{number}", "many", criteria))
        connection.close()
        seconds, _ = bench.in_turns(partial(_evaluation, ours, "many"), lambda: None)
        first = f"the first of them also reads the rules: {seconds[0] * 1000:,.0f} ms"
        name = f"one event against {_MANY_RULES:,} rules, from the request to the end of the evaluation"
        yield Row(name, "ms", min(seconds) * 1000, None, MANY_RULES, note=first)


def backtest(bench: Bench) -> Iterator[Row]:
    """An edited rule over stored events."""
    count = bench.sized(100_000, 2_000)
    with squall(bench) as ours:
        _add_rule(ours, "tested", "tested", {"trigger.body.number": {"type": "gt", "pattern": 100}})
        post_many(ours.port, "/v1/webhooks/tested", _BODY, count, _CONNECTIONS, 202)
        connection = Connection(ours.port)
        _until(lambda: _pending(connection) == 0)
        edited = _rule("tested", "tested", {"trigger.body.number": {"type": "gt", "pattern": 3}})
        began = time.monotonic()
        report = connection.post("/v1/rules/backtest", {"rule": edited, "limit": count}, 200)
        took = time.monotonic() - began
        connection.close()
    if (report["evaluated"], report["would_start"]) != (count, count):
        raise BrokenError(f"the backtest of {count} events says {report}")
    yield Row(f"backtest of an edited rule over {count:,} events", "s", took, None, BACKTEST)


def _rule(name: str, url: str, criteria: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "pack": "bench",
        "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": url}},
        "criteria": criteria or {},
        "action": {"ref": "core.noop", "parameters": {}},
    }


def _add_rule(server: Squall, name: str, url: str, criteria: Mapping[str, Any] | None = None) -> None:
    connection = Connection(server.port)
    connection.post("/v1/rules", _rule(name, url, criteria))
    connection.close()


def _to_running(server: Squall, count: int) -> list[float]:
    """Seconds from each webhook to the notice that its execution runs."""
    connection, stream = Connection(server.port), Updates(server.port)
    seconds = []
    try:
        for _ in range(count):
            began = time.monotonic()
            connection.post("/v1/webhooks/hooked", _BODY, 202)
            stream.next_running()
            seconds.append(time.monotonic() - began)
    finally:
        connection.close()
        stream.close()
    return seconds


def _answered(port: int, count: int) -> list[float]:
    connection = Connection(port)
    seconds = []
    try:
        for _ in range(count):
            began = time.monotonic()
            connection.post("/noop", _BODY)
            seconds.append(time.monotonic() - began)
    finally:
        connection.close()
    return seconds


def _posted(port: int, count: int) -> float:
    return count * 20 / post_many(port, "/noop", _BODY, count * 20, _CONNECTIONS)


def _finished(server: Squall, count: int) -> float:
    """Executions per second from the first webhook until the last execution has succeeded."""
    connection = Connection(server.port)
    try:
        before = succeeded(connection, "core.noop")
        began = time.monotonic()
        post_many(server.port, "/v1/webhooks/hooked", _BODY, count, _CONNECTIONS, 202)
        _until(lambda: succeeded(connection, "core.noop") - before >= count)
        return count / (time.monotonic() - began)
    finally:
        connection.close()


def _evaluated(server: Squall, count: int) -> float:
    """Webhooks per second from the first one until the last one is evaluated."""
    connection = Connection(server.port)
    try:
        began = time.monotonic()
        post_many(server.port, "/v1/webhooks/quiet", _BODY, count, _CONNECTIONS, 202)
        _until(lambda: _pending(connection) == 0)
        return count / (time.monotonic() - began)
    finally:
        connection.close()


def _evaluation(server: Squall, url: str) -> float:
    """Seconds from a webhook until it is evaluated."""
    connection = Connection(server.port)
    try:
        began = time.monotonic()
        connection.post(f"/v1/webhooks/{url}", _BODY, 202)
        _until(lambda: _pending(connection) == 0, 0.002)
        return time.monotonic() - began
    finally:
        connection.close()


def _pending(connection: Connection) -> int:
    path = "/v1/triggerinstances?limit=1&status=pending&include_attributes=id"
    status, head, body = connection.request("GET", path)
    found = _TOTAL.search(head)
    if status != 200 or found is None:
        raise BrokenError(f"GET {path} gave {status}: {json.loads(body)}")
    return int(found[1])


def _until(holds: Any, pause: float = 0.02) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise BrokenError(f"events were not handled after {_PATIENCE:.0f} s")
        time.sleep(pause)
