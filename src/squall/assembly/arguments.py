"""The arguments of adapters and services, made from the settings."""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path

from squall.adapters.cipher import KeyFileCipher
from squall.adapters.installing.places import VARIABLE, Places
from squall.adapters.installing.versions import Installed, Versions
from squall.adapters.runners.python import PythonPlaces
from squall.adapters.runners.ssh.runner import SshRules
from squall.config import Settings
from squall.config.settings import Actionrunner
from squall.core.errors import ConfigError, InvalidError
from squall.core.execution.retention import Terms, parse_rules
from squall.services.execution.running import RunLimits

BUNDLED = Path(__file__).parents[1] / "packs"
"""The packs that come with Squall."""


def cipher(settings: Settings) -> KeyFileCipher:
    """The cipher of the datastore: under the file that the settings name, else under one that is made if need be."""
    named = settings.keyvalue.encryption_key_path
    path = Path(named).expanduser() if named else settings.server.data_dir / "datastore.key.json"
    return KeyFileCipher(path, make=not named)


def terms(settings: Settings) -> Terms:
    """How long executions are kept. Raises `ConfigError`."""
    try:
        rules = parse_rules(settings.retention.rules)
    except InvalidError as error:
        raise ConfigError(f"retention.rules: {error}") from error
    return Terms(settings.retention.days, rules, settings.retention.max_bytes)


def installed_packs(settings: Settings) -> Path:
    """Where packs are installed."""
    return below(settings, "", "packs")


def packs_roots(settings: Settings) -> list[Path]:
    """The folders of packs, of which the first that has a pack wins; those that come with Squall are last."""
    named = [Path(each).expanduser() for each in settings.content.packs_base_paths.split(":") if each]
    return [*settings.server.packs_dirs, *named, installed_packs(settings), BUNDLED]


def installing(settings: Settings) -> Places:
    """Where packs are installed, for the actions that do it."""
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
    """The versions of what is installed."""
    places = installing(settings)
    return Installed(Versions(Path(places.packs)), Versions(Path(places.virtualenvs)))


def places(settings: Settings) -> PythonPlaces:
    """Where Python actions find what they need."""
    wanted = settings.actionrunner
    return PythonPlaces(
        virtualenvs=below(settings, settings.content.virtualenvs_dir, "virtualenvs"),
        worktrees=settings.server.data_dir / "worktrees",
        packs=tuple(packs_roots(settings)),
        common_libs=settings.content.enable_common_libs,
        log_level=wanted.python_runner_log_level,
        result_limit=wanted.result_limit_bytes,
        fork_idle=wanted.fork_server_idle_seconds,
        installing={VARIABLE: installing(settings).encoded()},
    )


def below(settings: Settings, given: str, name: str) -> Path:
    """A folder that a setting names, relative to the data directory; by its usual name in the base path otherwise."""
    if given:
        return settings.server.data_dir / Path(given).expanduser()
    return settings.server.data_dir / Path(settings.system.base_path).expanduser() / name


def ssh(settings: Settings) -> SshRules:
    """How hosts are reached. New host keys are kept in the data directory, beside those that the user has."""
    wanted = settings.ssh
    known = [str(settings.server.data_dir / "ssh" / "known_hosts")]
    if wanted.known_hosts:
        known.append(str(Path(wanted.known_hosts).expanduser()))
    return SshRules(
        user=wanted.user or settings.actionrunner.system_user or local_user(),
        key_file=str(Path(wanted.key_file).expanduser()) if wanted.key_file else "",
        config_file=str(Path(wanted.config_file).expanduser()) if wanted.config_file else "",
        host_keys=wanted.host_keys,
        known_hosts=tuple(known),
        connect_timeout=wanted.connect_timeout_seconds,
        parallel=wanted.max_parallel,
        partial=wanted.allow_partial_failure,
        keep=settings.actionrunner.result_output_bytes,
    )


def limits(wanted: Actionrunner, check_output: bool) -> RunLimits:
    """What one execution may take, and whether its result is checked. Raises `ConfigError`."""
    processes = {
        "open_files": wanted.limit_open_files,
        "processes": wanted.limit_processes,
        "memory_bytes": wanted.limit_memory_bytes,
        "file_bytes": wanted.limit_file_bytes,
        "cpu_seconds": wanted.limit_cpu_seconds,
    }
    return RunLimits(
        output=wanted.output_limit_bytes,
        policy=wanted.output_limit_policy,
        result_output=wanted.result_output_bytes,
        umask=_umask(wanted.umask),
        processes={name: limit for name, limit in processes.items() if limit},
        check_output=check_output,
    )


def _umask(digits: str) -> int | None:
    if not digits:
        return None
    try:
        found = int(digits, 8)
    except ValueError:
        found = -1
    if not 0 <= found <= 0o777:
        raise ConfigError(f'actionrunner.umask must be octal digits such as "027", not "{digits:.80}"')
    return found


def inherited_environment() -> dict[str, str]:
    """What every action inherits: the server's environment without Squall's own settings, and prompt Python output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def local_user() -> str:
    """Who requests without saying so."""
    return pwd.getpwuid(os.geteuid()).pw_name
