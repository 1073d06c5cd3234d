"""What an action's process is given: umask and limits, without giving up vfork."""

from __future__ import annotations

import resource
import subprocess
from typing import Any

import pytest

from squall.adapters.keeper.process import starting
from squall.core.execution.process import LaunchSpec

ASK = "umask; ulimit -n; ulimit -v; ulimit -f; ulimit -t; ulimit -Hn"


def ran(command: str, terminal: tuple[int, int] | None = None, **fields: Any) -> list[str]:
    spec = LaunchSpec("ab" * 12, "ab" * 12, 1, ["/bin/bash", "-c", command], {"PATH": "/usr/bin:/bin"})
    spec = spec._replace(**fields)
    process = starting.start(spec, terminal, None, {})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.decode().split()


def test_umask_and_limits_are_what_was_asked_for() -> None:
    limits = {"open_files": 77, "memory_bytes": 1 << 30, "file_bytes": 1 << 20, "cpu_seconds": 50}
    assert ran(ASK, umask=0o027, limits=limits) == ["0027", "77", str(1 << 20), "1024", "50", "77"]


def test_without_any_they_are_the_keepers_own() -> None:
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert ran("ulimit -n; ulimit -Hn") == ["unlimited" if n == resource.RLIM_INFINITY else str(n) for n in own]


def test_a_limit_beyond_what_the_keeper_may_give_is_the_most_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda number: (50, 60))
    assert ran("ulimit -Hn", limits={"open_files": 1 << 30}) == ["60"]


def test_an_unknown_limit_and_a_missing_prlimit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no limit 'colour'; there are open_files"):
        ran("true", limits={"colour": 1})
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OSError, match="util-linux"):
        ran("true", limits={"open_files": 10})


def test_nothing_runs_between_fork_and_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python vforks only then, and a keeper that forks is slow: none of these may ever be asked for."""
    given: dict[str, object] = {}

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, args: list[str], **words: Any) -> None:
            given.update(words)
            super().__init__(args, **words)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    ran("true", umask=0o077, limits={"open_files": 50})
    assert not given.keys() & {"preexec_fn", "user", "group", "extra_groups"}
