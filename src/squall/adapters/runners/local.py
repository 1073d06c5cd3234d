"""The runners `local-shell-cmd` and `local-shell-script`: a shell command, or a pack's script, on this machine.

Parameters, the form of arguments, and the result's shape are StackStorm's.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import stat
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from squall.core.content.action import SYSTEM_PACKS, action_schemas
from squall.core.environment import is_of_environment, judged
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.core.names import below, pack_name
from squall.ports import OutputText

COMPAT = Path(__file__).parents[2] / "compat"
"""The folder of the modules that packs import. It is the last folder in an action's import path."""

_COMMAND = "SQUALL_COMMAND"
"""The variable that holds a command with secrets."""
_TIMED_OUT = -9
_CANNOT_START = 126
_NESTED_MOST = 100
_FIRST_LINE = 512
_PACKS_PYTHON = re.compile(
    rb"#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?/opt/stackstorm/(?:st2|virtualenvs/(?P<pack>[a-z0-9_]+))/bin/python[\d.]*"
    rb"(?:[ \t]+(?P<option>[^\r\n]*?))?[ \t\r]*(?:\n|$)"
)
_NO_VIRTUALENV = (
    'The virtual environment ({path}) for pack "{pack}" does not exist. Normally this is created when you install a '
    'pack using "st2 pack install". If you installed your pack by some other means, you can create a new virtual '
    'environment using the command: "st2 run packs.setup_virtualenv packs={pack}"'
)
_SIZE = re.compile(r"^([1-9]\d{0,3})x([1-9]\d{0,3})$")


class LocalRunner:
    """`ports.Runner` for both local runners. `base` is the environment of every process, `cwd` its working directory.

    Processes run as `system_user` unless the action uses sudo; if it is empty, as the server's own user.
    `virtualenvs` is the folder of packs' virtualenvs: a script for StackStorm's own Python
    (`#!/opt/stackstorm/st2/bin/python`) runs with the virtualenv of its pack.
    """

    def __init__(self, base: Mapping[str, str], system_user: str, cwd: str, virtualenvs: Path = Path()) -> None:
        self._base = dict(base)
        self._system_user = system_user
        self._cwd = cwd
        self._virtualenvs = virtualenvs

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the process to start. Raises `InvalidError` if the script or sudo is missing."""
        parameters = job.runner_parameters
        if parameters.get("content_version"):
            raise InvalidError('Parameter "content_version": the pack is not a git repository this server installed.')
        prefix, stdin = self._sudo(parameters)
        account = self._account if self._system_user and not parameters.get("sudo") else {}
        env = {**self._base, **account, **job.environment, **_environment(parameters.get("env"))}
        if "cmd" in job.runner_type.runner_parameters:
            text, variables = shell_text(job)
            command = [self._shell, "-c", text]
            env |= variables
        else:
            command = _script(job, self._shell)
            python, virtualenv = _packs_python(job, self._virtualenvs)
            if python:
                command = [*python, job.entry_point, *script_arguments(job)]
                env["PYTHONPATH"] = ":".join([*filter(None, [env.get("PYTHONPATH")]), str(COMPAT)])
            if virtualenv is not None:
                env["PATH"] = f"{virtualenv / 'bin'}:{env.get('PATH', os.defpath)}"
        if parameters.get("debug"):
            env["ST2_ACTION_DEBUG"] = "True"
        timeout = parameters.get("timeout")
        return LaunchSpec(
            execution=job.execution.id,
            tree=job.execution.tree,
            attempt=job.execution.attempt,
            argv=[*prefix, *command],
            env=env,
            cwd=parameters.get("cwd") or self._cwd,
            pty=_terminal_size(parameters) if parameters.get("pty") else None,
            stdin=stdin,
            timeout=float(timeout) if timeout else None,
        )

    @cached_property
    def _own_user(self) -> str:
        return pwd.getpwuid(os.geteuid()).pw_name

    @cached_property
    def _account(self) -> dict[str, str]:
        """The variables of the system user, who may have another home than the server's user."""
        try:
            user = pwd.getpwnam(self._system_user)
        except KeyError:
            return {}
        return {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}

    @cached_property
    def _shell(self) -> str:
        return shutil.which("bash") or "/bin/sh"

    def _sudo(self, parameters: Mapping[str, Any]) -> tuple[list[str], bytes | None]:
        """Returns the command prefix that switches to the right user, and the bytes for its standard input. Raises
        `InvalidError` if sudo is missing."""
        target = "root" if parameters.get("sudo") else self._system_user
        if not target or target == self._own_user:
            return [], None
        if os.geteuid() == 0:
            return ["runuser", "-u", target, "--"], None
        if shutil.which("sudo") is None:
            raise InvalidError(f'The command must run as "{target}", but this machine has no sudo. Install sudo.')
        user = ["-H", "-u", target] if target != "root" else []
        password = parameters.get("sudo_password")
        if password:
            return ["sudo", "-S", "-p", "", "-E", *user, "--"], f"{password}\n".encode()
        return ["sudo", "-n", "-E", *user, "--"], None

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns StackStorm's shell result. If output was cut, `stdout_omitted` or `stderr_omitted` is the number of
        omitted bytes."""
        code = _TIMED_OUT if end.timed_out else end.exit_code if end.exit_code >= 0 else 128 - end.exit_code
        if end.error is not None:
            code = _CANNOT_START
        error = end.error
        if end.timed_out:
            error = f"Action failed to complete in {job.runner_parameters.get('timeout')} seconds"
        elif end.stopped:
            error = "Action was stopped because it printed more than the output limit"
        succeeded = code == 0 and error is None
        result: dict[str, Any] = {"failed": not succeeded, "succeeded": succeeded, "return_code": code}
        for stream in ("stdout", "stderr"):
            text, omitted = output(stream)
            result[stream] = text_result(text) if not omitted else text
            if omitted:
                result[f"{stream}_omitted"] = omitted
        if error is not None:
            result["error"] = error
        status = CANCELED if end.canceled else TIMEOUT if end.timed_out else SUCCEEDED if succeeded else FAILED
        return Outcome(status, result)


def text_result(text: str) -> Any:
    """Returns printed text as a result: without one trailing newline, and parsed if all of it is JSON."""
    return json_or_text(text.removesuffix("\n").removesuffix("\r"))


def json_or_text(text: str) -> Any:
    """Returns the value of `text` if all of it is JSON, else the text itself."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        value = msgspec.json.decode(text)
        if text.count("[") + text.count("{") <= _NESTED_MOST or not nests_deeper(value, _NESTED_MOST):
            return value
    return text


def nests_deeper(value: Any, most: int) -> bool:
    """Returns True if arrays and objects in `value` are nested deeper than `most`: then encoding it may fail."""
    values = [value]
    for _ in range(most):
        values = [
            inner
            for outer in values
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not values:
            return False
    return True


def command_line(job: Job) -> str:
    """Returns the parameter `cmd`. Raises `InvalidError` if it is missing."""
    command = job.runner_parameters.get("cmd")
    if command is None:
        raise InvalidError(
            f'Parameter "cmd" of action "{job.action.ref}" is missing. Set it to the command line of the action.'
        )
    return str(command)


def shell_text(job: Job) -> tuple[str, dict[str, str]]:
    """Returns the text for `sh -c` that runs the parameter `cmd`, and the variables that it needs.

    Every user of a machine can read the arguments of its processes. So the command of a job with secrets, which may be
    in it in any form, stands in a variable, and the shell removes it before it runs the command. Raises
    `InvalidError` if there is no `cmd`.
    """
    command = command_line(job)
    if not job.secrets:
        return command, {}
    return f'eval "unset -v {_COMMAND}; ${_COMMAND}"', {_COMMAND: command}


def script_path(job: Job) -> str:
    """Returns the path of the action's script. Raises `InvalidError` if the action names none, or if it is not a
    readable file."""
    path, ref = job.entry_point, job.action.ref
    if not path:
        raise InvalidError(f'Action "{ref}" has no "entry_point"; its metadata must name the script that it runs.')
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - paths are text on their way into argv
    except (OSError, ValueError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "not a path"
        message = f'The entry point of action "{ref}" cannot be read: {path}: {reason}'
        raise judged(error, InvalidError(message)) from error
    if not is_file:
        raise InvalidError(f'The entry point of action "{ref}" is not a file: {path}')
    return path


def _environment(variables: Any) -> dict[str, str]:
    return {str(name): "" if value is None else str(value) for name, value in (variables or {}).items()}


def _terminal_size(parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Returns (rows, columns) of `pty_size`. Raises `InvalidError` if it is not a size."""
    match = _SIZE.match(str(parameters.get("pty_size") or "80x24"))
    if match is None:
        raise InvalidError(f'Parameter "pty_size": {parameters["pty_size"]!r} is not a size such as 80x24.')
    return int(match[2]), int(match[1])


def _script(job: Job, shell: str) -> list[str]:
    """Returns the words that run the script with its arguments. Raises `InvalidError` if there is no such file."""
    path = script_path(job)
    mode = os.stat(path).st_mode  # noqa: PTH116
    if not mode & stat.S_IXUSR:
        # Packs unpacked from archives lose the executable bit. On a read-only file system, the shell reads the file.
        with contextlib.suppress(OSError):
            os.chmod(path, mode | 0o111)  # noqa: PTH101, S103 - readable scripts may be run
    words = [shell, path] if not os.access(path, os.X_OK) else [shell, "-c", '"$0" "$@"', path]
    return [*words, *script_arguments(job)]


def _packs_python(job: Job, virtualenvs: Path) -> tuple[list[str], Path | None]:
    """Returns the interpreter of a script that is written for a Python of StackStorm, with its option, and the
    virtualenv; an empty list and None for other scripts. Raises `InvalidError` if the pack's virtualenv is missing."""
    with open(job.entry_point, "rb") as file:
        match = _PACKS_PYTHON.match(file.read(_FIRST_LINE))
    if match is None:
        return [], None
    named = (match["pack"] or b"").decode()
    if named and named != job.action.pack:
        virtualenv = below(virtualenvs, pack_name(named))
        python = virtualenv / "bin" / "python"
        return ([str(python)], virtualenv) if python.exists() else ([], None)
    interpreter, own = pack_interpreter(virtualenvs, job.action.pack, Path(job.pack_path))
    option = (match["option"] or b"").decode(errors="replace")
    return [interpreter, *([option] if option else [])], own


def pack_interpreter(virtualenvs: Path, pack: str, folder: Path) -> tuple[str, Path | None]:
    """Returns the Python of the pack's virtualenv, and the virtualenv. If the pack needs none, returns the server's own
    Python and None.

    Raises `InvalidError` for a pack with requirements and without a virtualenv.
    """
    virtualenv = below(virtualenvs, pack_name(pack))
    python = virtualenv / "bin" / "python"
    if pack not in SYSTEM_PACKS and python.exists():
        return str(python), virtualenv
    if pack not in SYSTEM_PACKS and _requires(folder / "requirements.txt"):
        raise InvalidError(_NO_VIRTUALENV.format(path=virtualenv, pack=pack))
    return sys.executable, None


def _requires(path: Path) -> bool:
    """Returns True if a requirements file lists any requirement."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        if is_of_environment(error):
            raise
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def script_arguments(job: Job) -> list[str]:
    """Returns the script's arguments: named ones first, then positional ones by their position."""
    operator = job.runner_parameters.get("kwarg_op")
    operator = "--" if operator is None else str(operator)
    schemas = action_schemas(job.action, job.runner_type)
    named: list[str] = []
    positional: list[tuple[int, str]] = []
    for name, schema in schemas.items():
        value = job.action_parameters.get(name)
        if "position" in schema:
            positional.append((schema["position"], positional_text(value, schema.get("type"))))
        elif value is True:
            named.append(f"{operator}{name}")
        elif value is not None and value is not False and value != "":
            named.append(f"{operator}{name}={value}")
    return named + [text for _, text in sorted(positional)]


def positional_text(value: Any, declared: Any) -> str:
    """Returns a positional argument as text, by the type that the action declares for it."""
    if value is None:
        return ""
    if declared == "boolean":
        return "1" if value else "0"
    if declared == "array" and isinstance(value, list):
        return ",".join(str(item) for item in value)
    if declared == "object" and isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False) if value else ""
    return str(value)
