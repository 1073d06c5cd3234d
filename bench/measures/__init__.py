"""What is measured, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.context import Bench
from bench.measures.backlog import backlog
from bench.measures.catalogue import catalogue
from bench.measures.events import backtest, rules, webhooks
from bench.measures.executions import one_by_one, rate
from bench.measures.keeper import keeper, masking, memory, neighbours
from bench.measures.keeping import child, purge, sealing
from bench.measures.latency import alone, hundred, thousand
from bench.measures.lines import lines
from bench.measures.listing import listing
from bench.measures.page import page
from bench.measures.reaching import authentication, requests, ssh
from bench.measures.slow_reader import slow_reader
from bench.measures.startup import cli, start
from bench.measures.throughput import events, raw, sse
from bench.measures.timers import timers
from bench.measures.workflows import workflows
from bench.rows import Row

MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "latency": alone,
    "fanout-100": hundred,
    "fanout-1000": thousand,
    "sse": sse,
    "raw": raw,
    "events": events,
    "slow-reader": slow_reader,
    "latency-done": one_by_one,
    "rate": rate,
    "backlog": backlog,
    "timers": timers,
    "webhooks": webhooks,
    "rules": rules,
    "backtest": backtest,
    "workflows": workflows,
    "catalogue": catalogue,
    "ssh": ssh,
    "http": requests,
    "authentication": authentication,
    "page": page,
    "list": listing,
    "lines": lines,
    "keeper": keeper,
    "masking": masking,
    "masked-neighbours": neighbours,
    "memory": memory,
    "seal": sealing,
    "child": child,
    "purge": purge,
    "start": start,
    "cli": cli,
}
"""By the name that `--only` and `--profile` take. A measure yields its rows, or raises."""
