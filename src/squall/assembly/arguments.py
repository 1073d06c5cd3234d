"""Builds the arguments of adapters and services from the settings."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from squall.adapters.cipher import KeyFileCipher
from squall.adapters.installing.places import VARIABLE, Places
from squall.adapters.installing.versions import Installed, Versions
from squall.adapters.keeper.process.starting import OPEN_FILES
from squall.adapters.runners.python import PythonPlaces
from squall.adapters.runners.ssh.runner import SshRules
from squall.api.connection.limits import Limits, networks
from squall.config import Settings
from squall.config.settings import Actionrunner
from squall.core.access.environment import ACTIONS, BLOBS, INSTALLING, REACHING, check_entries, environment
from squall.core.errors import ConfigError, InvalidError
from squall.core.execution.retention import Terms, parse_rules
from squall.core.execution.statuses import TRANSITIONS
from squall.services.execution.running import RunLimits

BUNDLED = Path(__file__).parents[1] / "packs"
"""The packs that come with Squall."""


def cipher(settings: Settings) -> KeyFileCipher:
    """Returns the cipher of the datastore. Its key file is the one in the settings, or `datastore.key.json`, which is
    created if it does not exist."""
    key_path = settings.keyvalue.encryption_key_path
    path = Path(key_path).expanduser() if key_path else settings.server.data_dir / "datastore.key.json"
    return KeyFileCipher(path, make=not key_path)


def connection_limits(settings: Settings, descriptors: int) -> Limits:
    """Returns the limits of connections, which may use `descriptors` descriptors. Raises `ConfigError`."""
    server = settings.server
    return Limits(
        connections=min(server.max_connections, descriptors),
        per_address=server.max_connections_per_address,
        last_descriptor=descriptors,
        line_bytes=server.max_header_bytes // 2,
        header_bytes=server.max_header_bytes,
        headers=server.max_headers,
        head_seconds=server.header_seconds,
        body_seconds=server.body_seconds,
        idle_seconds=server.idle_seconds,
        trusted=networks(server.trusted_proxies),
    )


def terms(settings: Settings) -> Terms:
    """Returns the terms of retention. Raises `ConfigError`."""
    try:
        rules = parse_rules(settings.retention.rules)
    except InvalidError as error:
        raise ConfigError(f"retention.rules: {error}") from error
    return Terms(settings.retention.days, rules, settings.retention.max_bytes)


def emit_when(settings: Settings) -> frozenset[str]:
    """Returns the statuses of executions that `core.st2.generic.actiontrigger` tells of. Raises `ConfigError`."""
    names = {name.strip() for name in settings.action_sensor.emit_when.split(",")} - {""}
    if unknown := names - TRANSITIONS.keys():
        known = ", ".join(sorted(TRANSITIONS))
        raise ConfigError(f"action_sensor.emit_when: {', '.join(sorted(unknown))} is no status. Use any of {known}")
    return frozenset(names) if settings.action_sensor.enable else frozenset()


def installed_packs(settings: Settings) -> Path:
    """Returns the folder in which packs are installed."""
    return below(settings, "", "packs")


def packs_roots(settings: Settings) -> list[Path]:
    """Returns the folders of packs. If several contain a pack, the first one wins; the bundled packs come last."""
    base_paths = [Path(each).expanduser() for each in settings.content.packs_base_paths.split(":") if each]
    return [*settings.server.packs_dirs, *base_paths, installed_packs(settings), BUNDLED]


def installing(settings: Settings) -> Places:
    """Returns the places and options that the actions for installing packs need."""
    content = settings.content
    return Places(
        packs=str(installed_packs(settings)),
        virtualenvs=str(below(settings, content.virtualenvs_dir, "virtualenvs")),
        configs=str(below(settings, content.configs_dir, "configs")),
        search=tuple(str(root) for root in packs_roots(settings)),
        index_urls=tuple(url.strip() for url in content.index_url.split(",") if url.strip()),
        pip_options=tuple(shlex.split(content.pip_options)),
        max_file_bytes=content.max_file_bytes,
    )


def installed(settings: Settings) -> Installed:
    """Returns the versions of installed packs and virtualenvs."""
    places = installing(settings)
    return Installed(Versions(Path(places.packs)), Versions(Path(places.virtualenvs)))


def places(settings: Settings) -> PythonPlaces:
    """Returns the folders and options of Python actions."""
    section = settings.actionrunner
    return PythonPlaces(
        virtualenvs=below(settings, settings.content.virtualenvs_dir, "virtualenvs"),
        worktrees=settings.server.data_dir / "worktrees",
        packs=tuple(packs_roots(settings)),
        common_libs=settings.content.enable_common_libs,
        log_level=section.python_runner_log_level,
        result_limit=section.result_limit_bytes,
        fork_idle=section.fork_server_idle_seconds,
        installing={VARIABLE: installing(settings).encoded()},
        installers=environments(settings).installing,
    )


def below(settings: Settings, path: str, name: str) -> Path:
    """Returns the folder `path` of a setting, relative to the data directory; if empty, `name` in the base path."""
    if path:
        return settings.server.data_dir / Path(path).expanduser()
    return settings.server.data_dir / Path(settings.system.base_path).expanduser() / name


def ssh(settings: Settings) -> SshRules:
    """Returns the rules of SSH connections. New host keys go to a file in the data directory, not to the user's own."""
    section = settings.ssh
    known_hosts = [str(settings.server.data_dir / "ssh" / "known_hosts")]
    if section.known_hosts:
        known_hosts.append(str(Path(section.known_hosts).expanduser()))
    return SshRules(
        user=section.user or settings.actionrunner.system_user or local_user(),
        key_file=str(Path(section.key_file).expanduser()) if section.key_file else "",
        config_file=str(Path(section.config_file).expanduser()) if section.config_file else "",
        host_keys=section.host_keys,
        known_hosts=tuple(known_hosts),
        connect_timeout=section.connect_timeout_seconds,
        parallel=section.max_parallel,
        partial=section.allow_partial_failure,
        keep=settings.actionrunner.result_output_bytes,
    )


def limits(section: Actionrunner, check_output: bool) -> RunLimits:
    """Returns the limits of one execution. Raises `ConfigError`."""
    processes = {
        "open_files": section.limit_open_files,
        "processes": section.limit_processes,
        "memory_bytes": section.limit_memory_bytes,
        "file_bytes": section.limit_file_bytes,
        "cpu_seconds": section.limit_cpu_seconds,
    }
    return RunLimits(
        output=section.output_limit_bytes,
        policy=section.output_limit_policy,
        result_output=section.result_output_bytes,
        umask=_umask(section.umask),
        processes={name: limit for name, limit in processes.items() if limit},
        check_output=check_output,
    )


def _umask(digits: str) -> int | None:
    if not digits:
        return None
    try:
        umask = int(digits, 8)
    except ValueError:
        umask = -1
    if not 0 <= umask <= 0o777:
        raise ConfigError(f'actionrunner.umask must be octal digits such as "027", not "{digits:.80}"')
    return umask


class Environments(NamedTuple):
    """The environments of the processes beside the server. See `core/access/environment.py`."""

    actions: dict[str, str]
    reaching: dict[str, str]
    installing: dict[str, str]
    keeper: dict[str, str]
    lines: dict[str, str]


def environments(settings: Settings, server: Mapping[str, str] = os.environ) -> Environments:
    """Returns what other processes get of the environment `server`. Raises `ConfigError` for a wrong setting."""
    entries = settings.actionrunner.environment
    try:
        check_entries(entries)
    except InvalidError as error:
        raise ConfigError(f"actionrunner.environment: {error}") from error
    user = pwd.getpwuid(os.geteuid())
    account = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "PATH": os.defpath}

    def some(listed: tuple[str, ...], *more: str) -> dict[str, str]:
        return environment(server, (*listed, *more), account)

    # Python actions print without a buffer, so that their lines are seen at once.
    unbuffered = {"PYTHONUNBUFFERED": "1"}
    return Environments(
        actions=some(ACTIONS, *entries) | unbuffered,
        reaching=some(REACHING, *entries) | unbuffered,
        installing=some(INSTALLING, *entries),
        # The limit of descriptors for actions: the server has raised its own.
        keeper=some(ACTIONS, *entries) | {name: server[name] for name in (OPEN_FILES,) if name in server},
        lines=some(BLOBS),
    )


def local_user() -> str:
    """Returns the user of requests that name none: the user who runs the server."""
    return pwd.getpwuid(os.geteuid()).pw_name
