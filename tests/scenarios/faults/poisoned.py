"""A server that is killed whenever it works on one action: `poisoned.py serve …` is `squall serve …`.

The file that POISON names holds the place and the action, joined by a space. As long as it is there, the server that
comes to the place with that action is killed.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

POISON = "FAULT_TEST_POISON"


class Place(NamedTuple):
    """A function, and how the action is found in its arguments."""

    module: str
    name: str
    action: Callable[[tuple[Any, ...]], str]


PLACES = {
    "deciding": Place("squall.services.workflow.workflows", "decide", lambda given: given[0].execution.action),
    "restoring": Place("squall.services.workflow.run_store", "RunStore.run", lambda given: given[1].action),
    "preparing": Place("squall.services.execution.running", "Running._job", lambda given: given[1].action),
    "storing": Place("squall.adapters.sql.execution.executions", "SqlExecutions.update", lambda given: given[1].action),
}
"""A thread of expressions, the event loop twice, and the thread of the database."""


def _kills(place: str, action: str) -> None:
    try:
        armed = Path(os.environ[POISON]).read_text()
    except OSError:
        return
    if armed == f"{place} {action}":
        os.kill(os.getpid(), signal.SIGKILL)


def _poison(name: str, place: Place) -> None:
    holder: Any = importlib.import_module(place.module)
    *path, last = place.name.split(".")
    for part in path:
        holder = getattr(holder, part)
    real = getattr(holder, last)

    @functools.wraps(real)
    def poisoned(*arguments: Any, **named: Any) -> Any:
        _kills(name, place.action(arguments))
        return real(*arguments, **named)

    setattr(holder, last, poisoned)


def main() -> None:
    """Runs `squall` with what was given."""
    for name, place in PLACES.items():
        _poison(name, place)
    from squall.__main__ import main as squall

    sys.exit(squall())


if __name__ == "__main__":
    main()
