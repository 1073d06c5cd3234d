"""The runners `winrm-cmd`, `winrm-ps-cmd` and `winrm-ps-script`: a command, PowerShell, or a pack's PowerShell script,
on a Windows host.

Parameters and the result's shape are StackStorm's. Squall adds live output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from squall.adapters.runners.forked import OwnProgram
from squall.adapters.runners.local import command_line, json_or_text, positional_text, script_path
from squall.adapters.runners.winrm import powershell
from squall.core.content.action import action_schemas
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_PROGRAM = "squall.adapters.runners.winrm.program"
_LIBRARY = "pypsrp"
_RESULT_LIMIT = 1 << 20
_SPARE = 120.0
_HTTP_PORT = 5985
_TIMED_OUT = -1
_AUTHS = {
    # The parameter `transport` and the name of its authentication in the library.
    "basic": "basic", "plaintext": "basic", "ssl": "basic", "ntlm": "ntlm", "kerberos": "kerberos",
    "credssp": "credssp",
}  # fmt: skip


class WinrmRunner:
    """`ports.Runner` for the three WinRM runners. `base` is the environment of the program that speaks WinRM.
    `connect_timeout` is in seconds. The program's fork server ends after `fork_idle` seconds without a request; 0 means
    no fork server."""

    def __init__(self, base: Mapping[str, str], connect_timeout: float = 20.0, fork_idle: float = 0) -> None:
        self._connect_timeout = connect_timeout
        self._program = OwnProgram(_PROGRAM, dict(base), fork_idle)

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the program to start, with the job on its standard input. Raises `InvalidError`."""
        if find_spec(_LIBRARY) is None:
            raise InvalidError(
                f'The runner "{job.runner_type.name}" needs the extra winrm, which this server does not have. '
                "Run: pip install 'squall[winrm]'"
            )
        parameters = job.runner_parameters
        timeout = float(parameters["timeout"]) if parameters.get("timeout") else None
        line, stdin = _command(job)
        body = {
            **_place(parameters),
            "username": str(parameters.get("username") or ""),
            "password": str(parameters.get("password") or ""),
            "verify": parameters.get("verify_ssl_cert") is not False,
            "cwd": parameters.get("cwd") or None,
            "env": {
                str(name): "" if value is None else str(value) for name, value in (parameters.get("env") or {}).items()
            },
            "command": line,
            "stdin": stdin.decode(),
            "powershell": job.runner_type.name != "winrm-cmd",
            "timeout": timeout,
            "connect_timeout": self._connect_timeout,
        }
        return self._program.launch(
            job, body, timeout=timeout + self._connect_timeout + _SPARE if timeout else None, result_limit=_RESULT_LIMIT
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns StackStorm's shell result; if the host was not reached, one error."""
        report = _report(end)
        late = end.timed_out or report.get("late", False)
        code, error = report.get("return_code"), report.get("error")
        if late:
            seconds = job.runner_parameters.get("timeout")
            code, error = _TIMED_OUT, f"Action failed to complete in {seconds} seconds"
        elif end.stopped:
            error = "Action was stopped because it printed more than the output limit"
        elif code is None and error is None:
            error = end.error or output("stderr")[0].strip() or "The program that speaks WinRM ended early"
        status = CANCELED if end.canceled else TIMEOUT if late else SUCCEEDED if code == 0 and not error else FAILED
        if code is None:
            return Outcome(status, {"error": error, "traceback": report.get("traceback", "")})
        result: dict[str, Any] = {"failed": status != SUCCEEDED, "succeeded": status == SUCCEEDED, "return_code": code}
        for stream in ("stdout", "stderr"):
            text, omitted = output(stream)
            result[stream] = text if omitted else json_or_text(text)
            if omitted:
                result[f"{stream}_omitted"] = omitted
        if error is not None:
            result["error"] = error
        return Outcome(status, result)


def _report(end: End) -> dict[str, Any]:
    """Returns the report that the program has written; empty if it ended before that."""
    if end.result_file is None or end.result_cut:
        return {}
    try:
        report = json.loads(Path(end.result_file).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _place(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the address of the host and the authentication. Raises `InvalidError` that names the parameter."""
    host = str(parameters.get("host") or "").strip()
    if not host or any(letter in "/@?#\\" or letter.isspace() or not letter.isprintable() for letter in host):
        raise InvalidError(f'Parameter "host": {host!r} is not a host such as win1.example.org.')
    port = parameters.get("port") or 5986
    if not 0 < int(port) < 65536:
        raise InvalidError(f'Parameter "port": {port} is not a port; WinRM has 5986, or 5985 without TLS.')
    scheme = "http" if port == _HTTP_PORT else str(parameters.get("scheme") or "https")
    transport = str(parameters.get("transport") or "ntlm")
    if transport not in _AUTHS:
        raise InvalidError(
            f'Parameter "transport": "{transport}" is not supported; use one of {", ".join(sorted(_AUTHS))}.'
        )
    return {"host": host.strip("[]"), "port": int(port), "tls": scheme == "https", "auth": _AUTHS[transport]}


def _command(job: Job) -> tuple[str, bytes]:
    """Returns the command line to run on the host, and its standard input. Raises `InvalidError`."""
    if "cmd" in job.runner_type.runner_parameters:
        line = command_line(job)
        return (line, b"") if job.runner_type.name == "winrm-cmd" else powershell.command(line)
    path = script_path(job)
    try:
        script = Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f'The entry point of action "{job.action.ref}" cannot be read as UTF-8: {path}') from error
    return powershell.command(script, _arguments(job))


def _arguments(job: Job) -> str:
    """Returns the arguments of the script. Positional ones have the same text as those of shell scripts."""
    schemas = action_schemas(job.action, job.runner_type)
    values = job.action_parameters
    operator = job.runner_parameters.get("kwarg_op")
    positions = sorted((schema["position"], name) for name, schema in schemas.items() if "position" in schema)
    positional = [positional_text(values.get(name), schemas[name].get("type")) for _, name in positions]
    named = {name: values.get(name) for name, schema in schemas.items() if "position" not in schema}
    return powershell.arguments(named, positional, "-" if operator is None else str(operator))
