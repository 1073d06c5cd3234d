"""The runners `remote-shell-cmd` and `remote-shell-script`: a command, or a pack's script, on hosts over SSH.

Parameters and the result's shape are StackStorm's. Squall adds live output, and runs all hosts at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from squall.adapters.runners.forked import OwnProgram
from squall.adapters.runners.local import script_arguments, script_path, shell_text, text_result
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_PROGRAM = "squall.adapters.runners.ssh.program"
_RESULT_LIMIT = 64 << 20
_SPARE = 30.0
_OUTCOME = {"stdout", "stderr"}


class SshRules(msgspec.Struct, frozen=True, kw_only=True):
    """The default settings of connections to hosts. `host_keys` is `known_hosts`, `accept-new` or `ignore`; new keys go
    to the first of `known_hosts`. `connect_timeout` is in seconds. At most `parallel` hosts are connected at once. With
    `partial`, the execution succeeds if one host does. The result holds `keep` bytes of all hosts' output."""

    user: str
    key_file: str = ""
    config_file: str = ""
    host_keys: str = "accept-new"
    known_hosts: tuple[str, ...] = ()
    connect_timeout: float = 20.0
    parallel: int = 100
    partial: bool = False
    keep: int = 4 << 20


class RemoteRunner:
    """`ports.Runner` for both remote runners. `base` is the environment of the program that speaks SSH."""

    def __init__(self, base: Mapping[str, str], rules: SshRules, fork_idle: float = 0) -> None:
        self._rules = rules
        self._program = OwnProgram(_PROGRAM, dict(base), fork_idle)

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the program to start, with the job on its standard input. Raises `InvalidError`."""
        parameters = job.runner_parameters
        is_command = "cmd" in job.runner_type.runner_parameters
        # The program sends variables to the host through a pipe.
        command, variables = shell_text(job) if is_command else ("", {})
        hosts = parse_hosts(str(parameters.get("hosts") or ""), parameters.get("port"))
        bastion = parameters.get("bastion_host")
        timeout = float(parameters["timeout"]) if parameters.get("timeout") else None
        rules = self._rules
        waves = -(-len(hosts) // rules.parallel)
        body = {
            "execution": job.execution.id,
            "hosts": hosts,
            "bastion": parse_hosts(str(bastion), None)[0] if bastion else None,
            "username": parameters.get("username") or rules.user,
            "password": parameters.get("password"),
            "private_key": parameters.get("private_key"),
            "passphrase": parameters.get("passphrase"),
            "key_file": rules.key_file,
            "config_file": rules.config_file,
            "host_keys": rules.host_keys,
            "known_hosts": rules.known_hosts,
            "connect_timeout": rules.connect_timeout,
            "parallel": rules.parallel,
            "keep": rules.keep,
            "sudo": bool(parameters.get("sudo")),
            "sudo_password": parameters.get("sudo_password"),
            "env": {**job.environment, **_environment(parameters.get("env")), **variables},
            "cwd": parameters.get("cwd") or "",
            "dir": parameters.get("dir") or "/tmp",  # noqa: S108 - the documented default; the folder's name is an id
            "command": command,
            "script": "" if is_command else script_path(job),
            "arguments": [] if is_command else script_arguments(job),
            "timeout": timeout,
        }
        return self._program.launch(
            job,
            body,
            timeout=(timeout + rules.connect_timeout + _SPARE) * waves if timeout else None,
            result_limit=_RESULT_LIMIT,
            tagged=True,
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns StackStorm's result: by host, or one error for all if no host was reached."""
        hosts = _results(end)
        if hosts is None:
            status = CANCELED if end.canceled else TIMEOUT if end.timed_out else FAILED
            error = end.error or end.misused or output("stderr")[0].strip()
            return Outcome(status, {"error": error or "The program that speaks SSH ended early", "traceback": ""})
        for host in hosts.values():
            for stream in _OUTCOME:
                if f"{stream}_omitted" not in host:
                    host[stream] = text_result(host[stream])
        if end.canceled:
            return Outcome(CANCELED, hosts)
        if all(host["return_code"] == 255 and "traceback" in host for host in hosts.values()) and not any(
            host["stdout"] or host["stderr"] for host in hosts.values()
        ):
            return Outcome(FAILED, _unreached(hosts))
        successes = [host["succeeded"] for host in hosts.values()]
        late = all(host.get("timeout") for host in hosts.values())
        succeeded = any(successes) if self._rules.partial else all(successes)
        result: dict[str, Any] = hosts
        if end.stopped:
            succeeded = False
            result = {**hosts, "error": "Action was stopped because it printed more than the output limit"}
        return Outcome(TIMEOUT if late else SUCCEEDED if succeeded else FAILED, result)


def _unreached(hosts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    names = ", ".join(f"'{name}'" for name in hosts)
    errors = json.dumps(hosts, indent=2)
    first = next(iter(hosts.values()))
    return {
        "error": f"Unable to connect to any one of the hosts: [{names}].\n\n connect_errors={errors}",
        "traceback": first["traceback"],
    }


def _results(end: End) -> dict[str, dict[str, Any]] | None:
    """Returns the results that the program has written; None if it ended before that."""
    if end.result_file is None or end.result_cut:
        return None
    try:
        results = json.loads(Path(end.result_file).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return results if isinstance(results, dict) and results else None


def _environment(variables: Any) -> dict[str, str]:
    """Returns the variables as text. Raises `InvalidError` for a name that a shell does not allow."""
    texts = {str(name): "" if value is None else str(value) for name, value in (variables or {}).items()}
    for name in texts:
        if not name.isascii() or not name.replace("_", "a").isalnum() or name[0].isdigit():
            raise InvalidError(f'Parameter "env": {name!r} is not a variable name: use ASCII letters, digits and "_".')
    return texts


def parse_hosts(text: str, port: Any) -> list[dict[str, Any]]:
    """Returns the hosts of a comma-separated list, each once. The form is `[user@]host[:port]`; an IPv6 address with a
    port is in `[…]`.

    Raises `InvalidError` that names the part that is not a host.
    """
    hosts: dict[str, dict[str, Any]] = {}
    for name in (part.strip() for part in text.split(",")):
        if name and name not in hosts:
            hosts[name] = _host(name, port)
    if not hosts:
        raise InvalidError('Parameter "hosts" names no host. Write hosts like web1,web2:2222.')
    return list(hosts.values())


def _host(name: str, port: Any) -> dict[str, Any]:
    user, _, place = name.rpartition("@")
    address, own_port = place, ""
    if place.startswith("["):
        address, _, own_port = place[1:].partition("]")
        own_port = own_port.removeprefix(":")
    elif place.count(":") == 1:
        address, _, own_port = place.partition(":")
    number = own_port or (str(port) if port is not None else "")
    bad = any(not letter.isprintable() or letter.isspace() for letter in name) or len(name.encode()) > 255
    if not address or address.startswith("-") or bad or (number and not (number.isdigit() and 0 < int(number) < 65536)):
        raise InvalidError(f'Parameter "hosts": {name!r} is not a host such as web1 or web1:2222.')
    return {"name": name, "address": address, "user": user, "port": int(number) if number else 0}
