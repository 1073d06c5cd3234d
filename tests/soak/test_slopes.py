"""A server under a steady load of everything for SQUALL_SOAK_MINUTES: nothing of it grows, and nothing stays behind."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest
from tests.growth.growth import growing, measured
from tests.growth.load import PASSWORD, USER, Load
from tests.growth.sampling import OLDEST, Sampler, rows
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import serving

from squall.adapters.htpasswd import hashed, write
from squall.testing.waiting import until

MINUTES = max(5.0, float(os.environ.get("SQUALL_SOAK_MINUTES") or 0))
"""In less time nothing would be left after the warm-up."""
EVENTS = 2_000
KEPT = 26.0
SWEEP = 10.0
"""Executions stay `KEPT` seconds after their end, and are removed each `SWEEP` seconds."""
PATIENCE = 60.0
"""The seconds by which a sweep on a busy machine may come later."""
SETTINGS = {
    "SQUALL_STORAGE_JANITOR_SECONDS": "1",
    "SQUALL_STORAGE_SEAL_AFTER_SECONDS": "3",
    "SQUALL_EVENTS_RETENTION": str(EVENTS),
    "SQUALL_RETENTION_RULES": f"status=succeeded,failed,timeout,canceled,abandoned days={KEPT / 86_400:f}",
    "SQUALL_ACTIONRUNNER_FORK_SERVER_IDLE_SECONDS": "3600",
}
OF_EXECUTIONS = (
    "executions", "results", "queue", "journals", "workflows", "workflow_facts", "workflow_snapshots",
    "workflow_children", "slots", "traces", "trace_parts", "faults",
)  # fmt: skip
"""The tables whose rows go with the executions. Their number follows the load, which a busy machine slows down. The age
of the oldest execution shows that they stay within the retention."""

pytestmark = pytest.mark.timeout(MINUTES * 60 + 300)


def test_nothing_of_a_server_grows_under_a_steady_load(tmp_path: Path, packs: Path) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}")
    write(tmp_path / "data" / "htpasswd", {USER: hashed(PASSWORD)})
    over = threading.Event()
    with serving(tmp_path, packs, "--auth", env={**QUICK, **SETTINGS}) as server:
        load, sampler = Load(server, seed), Sampler(server, over)
        load.start()
        sampler.start()
        try:
            # It ends early only by a fault.
            sampler.join(MINUTES * 60)
        finally:
            over.set()
            load.stop()
        samples = sampler.result()
        lines = measured(samples)
        for name, line in lines.items():
            print(f"{name}: {line.first:,.1f} to {line.last:,.1f}, noise {line.noise:,.1f}")
        print(dict(load.done), load.faults[:5])
        database = server.data_dir / "squall.db"
        until(lambda: not any(rows(database)[table] for table in OF_EXECUTIONS), "all executions are removed")
        until(lambda: not any((server.data_dir / "journals").glob("*/*")), "all journals are removed")
        assert rows(database)["events"] <= EVENTS
        assert max(sample.values[OLDEST] for sample in samples) < KEPT + SWEEP + PATIENCE
    assert not load.faults
    assert min(load.done.values()) > 0
    follow_the_load = {OLDEST, "rows of events", "files in journals", *(f"rows of {table}" for table in OF_EXECUTIONS)}
    assert not growing({name: line for name, line in lines.items() if name not in follow_the_load})
