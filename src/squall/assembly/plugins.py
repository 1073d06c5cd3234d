"""What can be plugged in, in one place: the runners, by the name of the runner type they carry out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from squall.adapters.runners.announcement import AnnouncementRunner
from squall.adapters.runners.http.runner import HttpRunner
from squall.adapters.runners.inquirer import InquirerRunner
from squall.adapters.runners.local import LocalRunner
from squall.adapters.runners.noop import NoopRunner
from squall.adapters.runners.python import PythonPlaces, PythonRunner
from squall.adapters.runners.ssh.runner import RemoteRunner, SshRules
from squall.adapters.runners.winrm.runner import WinrmRunner
from squall.core.errors import ConfigError
from squall.ports import Runner

RUNNER_GROUP = "squall.runners"
"""Entry points of this group are functions of (base environment, system user, working directory) that give a runner;
their names are runner types'."""


def runners(
    base: Mapping[str, str],
    system_user: str,
    cwd: str,
    ssh: SshRules | None = None,
    http_limit: int = 16 << 20,
    *,
    places: PythonPlaces,
) -> dict[str, Runner]:
    """Every runner there is: the built-in ones, and those of installed distributions.

    `ssh` is how hosts are reached, `http_limit` the largest answer of an HTTP request (bytes),
    `places` where Python actions find things.
    """
    local = LocalRunner(base, system_user, cwd, places.virtualenvs)
    rules = ssh or SshRules(user=system_user)
    remote = RemoteRunner(base, rules, places.fork_idle)
    winrm = WinrmRunner(base, rules.connect_timeout, places.fork_idle)
    found: dict[str, Runner] = {
        "noop": NoopRunner(),
        "local-shell-cmd": local,
        "local-shell-script": local,
        "python-script": PythonRunner(base, cwd, places),
        "remote-shell-cmd": remote,
        "remote-shell-script": remote,
        "winrm-cmd": winrm,
        "winrm-ps-cmd": winrm,
        "winrm-ps-script": winrm,
        "http-request": HttpRunner(base, http_limit, places.fork_idle),
        "inquirer": InquirerRunner(),
        "announcement": AnnouncementRunner(),
    }
    for point in entry_points(group=RUNNER_GROUP):
        try:
            found[point.name] = point.load()(base, system_user, cwd)
        except Exception as error:
            origin = point.dist.name if point.dist is not None else point.value
            raise ConfigError(
                f'The runner "{point.name}" of the distribution {origin} cannot be loaded '
                f"({type(error).__name__}: {error}): update the distribution, or uninstall it."
            ) from error
    return found


def runner_types() -> list[Path]:
    """Files with the runner types of installed distributions: `<name of the entry point>.yaml` beside its module."""
    found = []
    for point in entry_points(group=RUNNER_GROUP):
        spec = find_spec(point.module)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).with_name(f"{point.name}.yaml")
            found += [path] if path.is_file() else []
    return found
