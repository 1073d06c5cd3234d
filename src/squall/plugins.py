"""What can be plugged in, in one place: the runners, by the name of the runner type they carry out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from squall.adapters.runners.local import LocalRunner
from squall.adapters.runners.noop import NoopRunner
from squall.ports import Runner

RUNNER_GROUP = "squall.runners"
"""Entry points of this group are functions of (base environment, system user, working directory) that give a runner;
their names are runner types'."""


def runners(base: Mapping[str, str], system_user: str, cwd: str) -> dict[str, Runner]:
    """Every runner there is: the built-in ones, and those of installed distributions."""
    local = LocalRunner(base, system_user, cwd)
    found: dict[str, Runner] = {
        "noop": NoopRunner(),
        "local-shell-cmd": local,
        "local-shell-script": local,
    }
    for point in entry_points(group=RUNNER_GROUP):
        found[point.name] = point.load()(base, system_user, cwd)
    return found
