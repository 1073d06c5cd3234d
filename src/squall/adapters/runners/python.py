"""The runner `python-script`: a Python class of a pack, in a process of its own.

Parameters, the order of folders to import from, environment variables and the result's shape are StackStorm's. The
process runs `compat/squall_action.py`; what it is to do goes to its standard input, its result comes through a
descriptor of its own.
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
# What an interpreter, or the C library, reads when it starts: a process that is forked has started already.
_READ_AT_START = re.compile(r"PYTHON|LD_|LC_|LANG|MALLOC_|GLIBC_|OPENSSL_|ASAN_")
_IN_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s\[\]{}:,"]*\*{8}[^\s\[\]{}:,"]*')


class PythonPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """Where Python actions find things: the folder of virtualenvs and that of git worktrees, the folders of packs.

    `common_libs`: a pack's `lib` is imported from. `log_level` is that of loggers where an action does not say,
    `result_limit` the most bytes of a result, `fork_idle` how long (seconds) a fork server waits; 0: there are none.
    `installing` are variables for the actions that install packs.
    """

    virtualenvs: Path
    worktrees: Path
    packs: tuple[Path, ...] = ()
    common_libs: bool = False
    log_level: str = "DEBUG"
    result_limit: int = 128 << 20
    fork_idle: float = 300.0
    installing: Mapping[str, str] = {}


class PythonRunner:
    """`ports.Runner` for `python-script`. `base` is the environment every process gets, `cwd` where it starts."""

    def __init__(self, base: Mapping[str, str], cwd: str, places: PythonPlaces) -> None:
        self._base = {name: value for name, value in base.items() if name != "PYTHONPATH"}
        self._cwd = cwd
        self._places = places

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """The process to start. Raises `InvalidError` when the file or the virtualenv is missing."""
        parameters = job.runner_parameters
        if not job.entry_point:
            raise InvalidError(f'Action "{job.action.name}" is missing entry_point attribute')
        pack, entry_point = Path(job.pack_path), Path(job.entry_point)
        if parameters.get("content_version"):
            tree = add_worktree(pack, str(parameters["content_version"]), self._worktree(job))
            if entry_point.is_relative_to(pack):
                entry_point = tree / entry_point.relative_to(pack)
            pack = tree
        python, virtualenv = pack_interpreter(self._places.virtualenvs, job.action.pack, Path(job.pack_path))
        paths = self._paths(pack, virtualenv)
        given = _environment(parameters.get("env"))
        env = {**self._base, "PYTHONPATH": ":".join(paths), **given, **job.environment}
        if virtualenv is not None:
            env["PATH"] = f"{virtualenv / 'bin'}:{env.get('PATH', os.defpath)}"
        env["ST2_API_URL"] = env.get("ST2_ACTION_API_URL", "")
        if "ST2_ACTION_AUTH_TOKEN" in env:
            env["ST2_AUTH_TOKEN"] = env["ST2_ACTION_AUTH_TOKEN"]
        env["ST2_ACTION_PACKS_PATHS"] = ":".join(str(path) for path in self._places.packs)
        if parameters.get("debug"):
            env["ST2_ACTION_DEBUG"] = "True"
        if job.action.pack == _INSTALLER:
            env |= self._places.installing
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
            fork_server=self._fork_server(job, python, virtualenv, given),
        )

    def _worktree(self, job: Job) -> Path:
        return self._places.worktrees / f"{job.execution.id}.{job.execution.attempt}"

    def _order(self, job: Job, entry_point: Path, paths: list[str]) -> bytes:
        """What the process reads: see `compat/squall_action.py`."""
        level = str(job.runner_parameters.get("log_level") or "DEBUG")
        # Every declared parameter is passed, as actions rarely give defaults of their own.
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
        """Where an action's imports are looked for first, in StackStorm's order; `squall.compat` comes last of all."""
        found = [pack / "lib"] if self._places.common_libs else []
        if virtualenv is not None:
            for library in sorted((virtualenv / "lib").glob("python3*")):
                found += [library, library / "site-packages"]
        return [str(path) for path in [*found, pack / "actions" / "lib", COMPAT]]

    def _fork_server(
        self, job: Job, python: str, virtualenv: Path | None, given: Mapping[str, str]
    ) -> ForkServer | None:
        """The fork server that may make the process; None where it must be started anew."""
        if not self._places.fork_idle or job.action.fork_server is False:
            return None
        if any(_READ_AT_START.match(name) for name in given):
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
        """StackStorm's result of Python actions; text that was cut is told by `stdout_omitted` or `stderr_omitted`."""
        parameters = job.runner_parameters
        if parameters.get("content_version") and not parameters.get("debug"):
            remove_worktree(Path(job.pack_path), self._worktree(job))
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
        status, value, error = self._returned(end, output)
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

    def _returned(self, end: End, output: OutputText) -> tuple[bool | None, Any, str | None]:
        """Status, result and error of what the action returned; the text `None` when it returned nothing."""
        if end.result_file is None:
            return None, "None", end.misused
        if end.result_cut:
            limit = self._places.result_limit
            return (
                None,
                None,
                f"The result has {end.result_bytes} bytes; at most {limit} are kept (result_limit_bytes).",
            )
        found = decode_result(output("result")[0])
        if not isinstance(found, dict) or not found.keys() & {"result", "text"}:
            # The process ended while it wrote it.
            return None, "None", None
        value = found.get("text", found.get("result"))
        if nests_deeper(value, _NESTED_MOST):
            value = msgspec.json.encode(value).decode()
        return found.get("status"), value, None


def decode_result(text: str) -> Any:
    """The JSON in the text; a number that was masked becomes a string, so that the rest can be read. None if it is no
    JSON at all."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(text)
    if MASK in text:
        quoted = _IN_JSON.sub(lambda found: found[0] if found[0].startswith('"') else f'"{found[0]}"', text)
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            return msgspec.json.decode(quoted)
    return None


def _environment(given: Any) -> dict[str, str]:
    """The variables a caller gives; where to import from is not theirs to say, as in StackStorm."""
    named = {str(name): "" if value is None else str(value) for name, value in (given or {}).items()}
    return {name: value for name, value in named.items() if name.lower() != "pythonpath"}


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}.{found.st_size}"
