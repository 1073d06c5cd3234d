"""Collects the runners by runner type, built-in ones and plug-ins of installed distributions."""

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
"""The group of the entry points of runners. An entry point has the name of a runner type, and is a function of (base
environment, system user, working directory) that returns a runner."""


def runners(
    base: Mapping[str, str],
    system_user: str,
    cwd: str,
    ssh: SshRules | None = None,
    http_limit: int = 16 << 20,
    *,
    places: PythonPlaces,
    reaching: Mapping[str, str] | None = None,
) -> dict[str, Runner]:
    """Returns all runners by runner type: the built-in ones, and those of installed distributions.

    `ssh` are the rules of SSH connections, `http_limit` is the largest HTTP response (bytes), `places` are the
    folders and options of Python actions. `reaching` is the environment of the programs that connect to other machines;
    if None, `base`. Raises `ConfigError` if a plug-in cannot be loaded.
    """
    local = LocalRunner(base, system_user, cwd, places.virtualenvs)
    rules = ssh or SshRules(user=system_user)
    outward = base if reaching is None else reaching
    remote = RemoteRunner(outward, rules, places.fork_idle)
    winrm = WinrmRunner(outward, rules.connect_timeout, places.fork_idle)
    by_type: dict[str, Runner] = {
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
            by_type[point.name] = point.load()(base, system_user, cwd)
        except Exception as error:
            origin = point.dist.name if point.dist is not None else point.value
            raise ConfigError(
                f'The runner "{point.name}" of the distribution {origin} cannot be loaded '
                f"({type(error).__name__}: {error}): update the distribution, or uninstall it."
            ) from error
    return by_type


def runner_types() -> list[Path]:
    """Returns the runner type files of installed distributions: `<name of the entry point>.yaml` beside its module."""
    paths = []
    for point in entry_points(group=RUNNER_GROUP):
        spec = find_spec(point.module)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).with_name(f"{point.name}.yaml")
            paths += [path] if path.is_file() else []
    return paths
