"""The server itself over HTTP: its version, its health, its metrics."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from squall.api.http.routes import OPEN, OPEN_ERRORS, Route, bound
from squall.api.http.wire import Answer, Request, failure
from squall.services.health import Health
from squall.services.lanes import JOURNAL, RUN
from squall.services.output.outputs import Outputs

_DOCS = "docs/http.md"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


class RootRoutes:
    """`/`, `/healthz`, `/readyz`, `/metrics`. `running` returns the number of executions that this server runs,
    `aside` the work that is set aside."""

    def __init__(
        self,
        health: Health,
        outputs: Outputs,
        version: str,
        running: Callable[[], int],
        aside: Callable[[], Sequence[object]],
    ) -> None:
        self._health = health
        self._outputs = outputs
        self._version = version
        self._running = running
        self._aside = aside
        self._started = time.time()

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _root(self, request: Request) -> Answer:
        return Answer({"version": self._version, "docs_url": _DOCS, "name": "Squall"})

    async def _alive(self, request: Request) -> Answer:
        return Answer({"status": "alive", "version": self._version})

    async def _ready(self, request: Request) -> Answer:
        if self._outputs.stopping:
            return failure(503, "The server is stopping.")
        if (complaint := await self._health.complaint()) is not None:
            return failure(503, complaint)
        return Answer({"status": "ready", "version": self._version, "set_aside": len(self._aside())})

    async def _metrics(self, request: Request) -> Answer:
        depths, last_event = await self._health.depths()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rows = [
            _metric("squall_info", "gauge", "Always 1; the label is the version.", f'{{version="{self._version}"}}', 1),
            _metric("squall_executions_running", "gauge", "Executions that this server runs now.", "", self._running()),
            _metric(
                "squall_set_aside", "gauge", "Work that is set aside: the server died of it.", "", len(self._aside())
            ),
            _metric("squall_followers", "gauge", "Clients that read output now.", "", self._outputs.followers),
            _metric("squall_events_total", "counter", "Rows written to the event table so far.", "", last_event),
            _metric(
                "process_start_time_seconds", "gauge", "Start of the process, Unix time in seconds.", "", self._started
            ),
            _metric(
                "process_cpu_seconds_total", "counter", "CPU time in seconds.", "", usage.ru_utime + usage.ru_stime
            ),
            _metric(
                "process_resident_memory_bytes", "gauge", "Resident memory.", "", pages * os.sysconf("SC_PAGE_SIZE")
            ),
            _metric("process_open_fds", "gauge", "Open descriptors.", "", len(list(Path("/proc/self/fd").iterdir()))),
            "# HELP squall_queue_rows Queue rows, waiting or in progress, by lane.\n# TYPE squall_queue_rows gauge\n",
            *(
                f'squall_queue_rows{{lane="{lane}"}} {depths.get(lane, 0)}\n'
                for lane in sorted({RUN, JOURNAL, *depths})
            ),
        ]
        return Answer(raw="".join(rows).encode(), content_type=_METRICS)


def _metric(name: str, kind: str, meaning: str, labels: str, value: float) -> str:
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name}{labels} {value}\n"


ROUTES = (
    Route("GET", "/", RootRoutes._root, "Name and version of the server", "Root"),
    Route(
        "GET",
        "/healthz",
        RootRoutes._alive,
        "Check that the server is alive",
        "Anything",
        errors=OPEN_ERRORS,
        permission=OPEN,
    ),
    Route(
        "GET",
        "/readyz",
        RootRoutes._ready,
        "Check that the server is ready",
        "Anything",
        errors=OPEN_ERRORS,
        permission=OPEN,
    ),
    Route("GET", "/metrics", RootRoutes._metrics, "Metrics in the format of Prometheus", types=(_METRICS,)),
)
