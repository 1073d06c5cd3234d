"""The runner `python-script`: a Python class of a pack, in a process of its own.

Parameters, the order of import folders, environment variables and the result's shape are StackStorm's. The process runs
`compat/squall_action.py`. It reads its order from standard input, and returns its result through a descriptor of its
own.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from squall.adapters.runners.local import COMPAT, nests_deeper, pack_interpreter
from squall.adapters.runners.worktree import add_worktree, remove_worktree
from squall.core.access.secret import MASK
from squall.core.content.action import action_schemas
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, ForkServer, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_PROGRAM = COMPAT / "squall_action.py"
_TIMED_OUT = -9
_BAD_STATUS = 220
_NESTED_MOST = 100
_INSTALLER = "packs"
# The interpreter and the C library read these variables only at their start, so a forked process would ignore them.
_READ_AT_START = re.compile(r"PYTHON|LD_|LC_|LANG|MALLOC_|GLIBC_|OPENSSL_|ASAN_")
_IN_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s\[\]{}:,"]*\*{8}[^\s\[\]{}:,"]*')


class PythonPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """The folders and limits of Python actions: the folder of virtualenvs, that of git worktrees, the folders of packs.

    If `common_libs` is true, actions also import from a pack's `lib`. `log_level` is the default log level of actions.
    `result_limit` is the largest result in bytes. A fork server ends after `fork_idle` seconds without a request; 0
    means no fork servers. `installing` holds the places of the actions that install packs, `installers` the
    variables of the programs that these run.
    """

    virtualenvs: Path
    worktrees: Path
    packs: tuple[Path, ...] = ()
    common_libs: bool = False
    log_level: str = "DEBUG"
    result_limit: int = 128 << 20
    fork_idle: float = 300.0
    installing: Mapping[str, str] = {}
    installers: Mapping[str, str] = {}


class PythonRunner:
    """`ports.Runner` for `python-script`. `base` is the environment of every process, `cwd` its working directory."""

    def __init__(self, base: Mapping[str, str], cwd: str, places: PythonPlaces) -> None:
        self._base = {name: value for name, value in base.items() if name != "PYTHONPATH"}
        self._cwd = cwd
        self._places = places

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the process to start. Raises `InvalidError` if the entry point or the virtualenv is missing."""
        parameters = job.runner_parameters
        if not job.entry_point:
            raise InvalidError(f'Action "{job.action.name}" is missing entry_point attribute')
        pack, entry_point = Path(job.pack_path), Path(job.entry_point)
        if parameters.get("content_version"):
            worktree = add_worktree(pack, str(parameters["content_version"]), self._worktree(job), self._base)
            if entry_point.is_relative_to(pack):
                entry_point = worktree / entry_point.relative_to(pack)
            pack = worktree
        python, virtualenv = pack_interpreter(self._places.virtualenvs, job.action.pack, Path(job.pack_path))
        paths = self._paths(pack, virtualenv)
        variables = _environment(parameters.get("env"))
        env = {**self._base, "PYTHONPATH": ":".join(paths), **variables, **job.environment}
        if virtualenv is not None:
            env["PATH"] = f"{virtualenv / 'bin'}:{env.get('PATH', os.defpath)}"
        env["ST2_API_URL"] = env.get("ST2_ACTION_API_URL", "")
        if "ST2_ACTION_AUTH_TOKEN" in env:
            env["ST2_AUTH_TOKEN"] = env["ST2_ACTION_AUTH_TOKEN"]
        env["ST2_ACTION_PACKS_PATHS"] = ":".join(str(path) for path in self._places.packs)
        if parameters.get("debug"):
            env["ST2_ACTION_DEBUG"] = "True"
        if job.action.pack == _INSTALLER:
            env = {**self._places.installers, **env, **self._places.installing}
        timeout = parameters.get("timeout")
        return LaunchSpec(
            execution=job.execution.id,
            tree=job.execution.tree,
            attempt=job.execution.attempt,
            argv=[python, "-u", str(_PROGRAM)],
            env=env,
            cwd=self._cwd,
            stdin=self._order(job, entry_point, paths),
            timeout=float(timeout) if timeout else None,
            result_limit=self._places.result_limit,
            fork_server=self._fork_server(job, python, virtualenv, variables),
        )

    def _worktree(self, job: Job) -> Path:
        return self._places.worktrees / f"{job.execution.id}.{job.execution.attempt}"

    def _order(self, job: Job, entry_point: Path, paths: list[str]) -> bytes:
        """Returns the JSON that the process reads: see `compat/squall_action.py`."""
        level = str(job.runner_parameters.get("log_level") or "DEBUG")
        # The order holds every declared parameter, because the methods of actions rarely have defaults.
        names = action_schemas(job.action, job.runner_type)
        order = {
            "file": str(entry_point),
            "pack": job.action.pack,
            "parameters": {**dict.fromkeys(names), **job.action_parameters},
            "config": job.config.values,
            "config_file": job.config.path,
            "log_level": self._places.log_level if level == "DEBUG" else level,
            "paths": paths,
            "user": job.execution.context.get("user"),
        }
        return msgspec.json.encode(order)

    def _paths(self, pack: Path, virtualenv: Path | None) -> list[str]:
        """Returns the first folders of an action's import path, in StackStorm's order. The last one is `COMPAT`."""
        folders = [pack / "lib"] if self._places.common_libs else []
        if virtualenv is not None:
            for library in sorted((virtualenv / "lib").glob("python3*")):
                folders += [library, library / "site-packages"]
        return [str(path) for path in [*folders, pack / "actions" / "lib", COMPAT]]

    def _fork_server(
        self, job: Job, python: str, virtualenv: Path | None, variables: Mapping[str, str]
    ) -> ForkServer | None:
        """Returns the fork server that may fork the process; None if the process needs an interpreter of its own."""
        if not self._places.fork_idle or job.action.fork_server is False:
            return None
        if any(_READ_AT_START.match(name) for name in variables):
            return None
        stamps = [python]
        if virtualenv is not None:
            pack = Path(job.pack_path)
            places = [pack / name for name in ("pack.yaml", "config.schema.yaml", "requirements.txt", "lib")]
            places += [pack / "actions", pack / "actions" / "lib", virtualenv / "pyvenv.cfg"]
            places += sorted(virtualenv.glob("lib/python3*/site-packages"))
            stamps += [_stamp(place) for place in places]
        argv = [python, "-u", str(_PROGRAM), "--serve"]
        return ForkServer(
            name=str(virtualenv or python), stamp=" ".join(stamps), argv=argv, idle=self._places.fork_idle
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns StackStorm's result of Python actions. If output was cut, `stdout_omitted` or `stderr_omitted` is the
        number of omitted bytes."""
        parameters = job.runner_parameters
        if parameters.get("content_version") and not parameters.get("debug"):
            remove_worktree(Path(job.pack_path), self._worktree(job), self._base)
        if end.error is not None:
            return Outcome(FAILED, {"error": end.error, "traceback": ""})
        if end.exit_code == _BAD_STATUS and not end.timed_out and not end.canceled:
            return Outcome(FAILED, {"error": output("stderr")[0], "traceback": ""})
        code = _TIMED_OUT if end.timed_out else end.exit_code
        result: dict[str, Any] = {}
        for stream in ("stdout", "stderr"):
            result[stream], omitted = output(stream)
            if omitted:
                result[f"{stream}_omitted"] = omitted
        status, value, error = self._action_result(end, output)
        if end.timed_out:
            error = f"Action failed to complete in {parameters.get('timeout')} seconds"
        elif end.stopped:
            error = "Action was stopped because it printed more than the output limit"
        result |= {"exit_code": code, "result": value}
        if error is not None:
            result["error"] = error
        succeeded = code == 0 and status is not False and error is None
        return Outcome(
            CANCELED if end.canceled else TIMEOUT if end.timed_out else SUCCEEDED if succeeded else FAILED, result
        )

    def _action_result(self, end: End, output: OutputText) -> tuple[bool | None, Any, str | None]:
        """Returns status, result and error of the action. The result is the text `None` if the action returned none."""
        if end.result_file is None:
            return None, "None", end.misused
        if end.result_cut:
            limit = self._places.result_limit
            return (
                None,
                None,
                f"The result has {end.result_bytes} bytes, but the limit is {limit}. Raise result_limit_bytes.",
            )
        document = decode_result(output("result")[0])
        if not isinstance(document, dict) or not document.keys() & {"result", "text"}:
            # The process ended while it wrote its result.
            return None, "None", None
        value = document.get("text", document.get("result"))
        if nests_deeper(value, _NESTED_MOST):
            value = msgspec.json.encode(value).decode()
        return document.get("status"), value, None


def decode_result(text: str) -> Any:
    """Returns the JSON value of the text; None if it is not JSON. A masked number becomes a string, so that the rest of
    the text stays readable."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(text)
    if MASK in text:
        quoted = _IN_JSON.sub(lambda match: match[0] if match[0].startswith('"') else f'"{match[0]}"', text)
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            return msgspec.json.decode(quoted)
    return None


def _environment(variables: Any) -> dict[str, str]:
    """Returns the caller's variables as text. Leaves out PYTHONPATH, as StackStorm does."""
    texts = {str(name): "" if value is None else str(value) for name, value in (variables or {}).items()}
    return {name: value for name, value in texts.items() if name.lower() != "pythonpath"}


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "-"
    return f"{status.st_mtime_ns}.{status.st_size}"
