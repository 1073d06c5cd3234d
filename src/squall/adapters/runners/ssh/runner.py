"""The runners `remote-shell-cmd` and `remote-shell-script`: a command, or a pack's script, on hosts over SSH.

Parameters and the result's shape are StackStorm's; that all hosts run at once, live, is not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from squall.adapters.runners.forked import fork_server
from squall.adapters.runners.local import command_line, script_arguments, script_path, text_result
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_PROGRAM = "squall.adapters.runners.ssh.program"
_RESULT_LIMIT = 64 << 20
_SPARE = 30.0
_OUTCOME = {"stdout", "stderr"}


class SshRules(msgspec.Struct, frozen=True, kw_only=True):
    """How hosts are reached unless the action says otherwise: `host_keys` is `known_hosts`, `accept-new` or `ignore`;
    new keys go to the first of `known_hosts`; `connect_timeout` is in seconds; `parallel` hosts are spoken to at once;
    with `partial` the execution succeeds when one host does. `keep` is how many bytes of all hosts' output the result
    holds."""

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
        self._base = dict(base)
        self._rules = rules
        self._fork_server = fork_server(_PROGRAM, fork_idle)

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """The program to start, with the job on its standard input. Raises `InvalidError`."""
        given = job.runner_parameters
        is_command = "cmd" in job.runner_type.runner_parameters
        hosts = parse_hosts(str(given.get("hosts") or ""), given.get("port"))
        timeout = float(given["timeout"]) if given.get("timeout") else None
        rules = self._rules
        waves = -(-len(hosts) // rules.parallel)
        body = {
            "execution": job.execution.id,
            "hosts": hosts,
            "bastion": parse_hosts(str(given["bastion_host"]), None)[0] if given.get("bastion_host") else None,
            "username": given.get("username") or rules.user,
            "password": given.get("password"),
            "private_key": given.get("private_key"),
            "passphrase": given.get("passphrase"),
            "key_file": rules.key_file,
            "config_file": rules.config_file,
            "host_keys": rules.host_keys,
            "known_hosts": rules.known_hosts,
            "connect_timeout": rules.connect_timeout,
            "parallel": rules.parallel,
            "keep": rules.keep,
            "sudo": bool(given.get("sudo")),
            "sudo_password": given.get("sudo_password"),
            "env": {**job.environment, **_environment(given.get("env"))},
            "cwd": given.get("cwd") or "",
            "dir": given.get("dir") or "/tmp",  # noqa: S108 - the documented default; the folder's name is an id
            "command": command_line(job) if is_command else "",
            "script": "" if is_command else script_path(job),
            "arguments": [] if is_command else script_arguments(job),
            "timeout": timeout,
        }
        return LaunchSpec(
            execution=job.execution.id,
            tree=job.execution.tree,
            attempt=job.execution.attempt,
            argv=[sys.executable, "-P", "-m", _PROGRAM],
            env=self._base,
            stdin=json.dumps(body).encode(),
            # The program keeps the time of each host; this is for a program that does not.
            timeout=(timeout + rules.connect_timeout + _SPARE) * waves if timeout else None,
            tagged=True,
            result_limit=_RESULT_LIMIT,
            fork_server=self._fork_server,
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """StackStorm's result: by host; when no host was reached, one error for all of them."""
        hosts = _results(end)
        if hosts is None:
            status = CANCELED if end.canceled else TIMEOUT if end.timed_out else FAILED
            said = end.error or end.misused or output("stderr")[0].strip()
            return Outcome(status, {"error": said or "The program that speaks SSH ended early", "traceback": ""})
        for found in hosts.values():
            for stream in _OUTCOME:
                if f"{stream}_omitted" not in found:
                    found[stream] = text_result(found[stream])
        if end.canceled:
            return Outcome(CANCELED, hosts)
        if all(found["return_code"] == 255 and "traceback" in found for found in hosts.values()) and not any(
            found["stdout"] or found["stderr"] for found in hosts.values()
        ):
            return Outcome(FAILED, _unreached(hosts))
        fine = [found["succeeded"] for found in hosts.values()]
        late = all(found.get("timeout") for found in hosts.values())
        succeeded = any(fine) if self._rules.partial else all(fine)
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
    """What the program has written, None when it has not come to that."""
    if end.result_file is None or end.result_cut:
        return None
    try:
        found = json.loads(Path(end.result_file).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found else None


def _environment(given: Any) -> dict[str, str]:
    """Raises `InvalidError` for a name that a shell cannot have."""
    found = {str(name): "" if value is None else str(value) for name, value in (given or {}).items()}
    for name in found:
        if not name.isascii() or not name.replace("_", "a").isalnum() or name[0].isdigit():
            raise InvalidError(f'Parameter "env": {name!r} is no name of a variable.')
    return found


def parse_hosts(text: str, port: Any) -> list[dict[str, Any]]:
    """The hosts of a comma-separated list, each `[user@]host[:port]`, once; an IPv6 address with a port is in `[…]`.

    Raises `InvalidError` that names what is no host.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in (part.strip() for part in text.split(",")):
        if name and name not in found:
            found[name] = _host(name, port)
    if not found:
        raise InvalidError('Parameter "hosts": there is no host in it; write them like web1,web2:2222.')
    return list(found.values())


def _host(name: str, port: Any) -> dict[str, Any]:
    user, _, place = name.rpartition("@")
    address, own = place, ""
    if place.startswith("["):
        address, _, own = place[1:].partition("]")
        own = own.removeprefix(":")
    elif place.count(":") == 1:
        address, _, own = place.partition(":")
    number = own or (str(port) if port is not None else "")
    bad = any(not letter.isprintable() or letter.isspace() for letter in name) or len(name.encode()) > 255
    if not address or address.startswith("-") or bad or (number and not (number.isdigit() and 0 < int(number) < 65536)):
        raise InvalidError(f'Parameter "hosts": {name!r} is not a host such as web1 or web1:2222.')
    return {"name": name, "address": address, "user": user, "port": int(number) if number else 0}
