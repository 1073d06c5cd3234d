"""Where and on what a run was made."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import apsw

from bench.servers import ROOT


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _first(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""


def commit() -> str:
    """The short commit, with `-dirty` when the sources differ from it; `unknown` outside a repository."""
    name = _git("rev-parse", "--short", "HEAD") or "unknown"
    return name + ("-dirty" if _git("status", "--porcelain", "--", "src", "uv.lock") else "")


def facts() -> dict[str, Any]:
    """What a reader must know to compare two runs."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _first("/proc/cpuinfo", r"^model name\s*: (.*)$"),
        "memory_gib": round(int(_first("/proc/meminfo", r"^MemTotal:\s+(\d+)") or 0) / (1 << 20), 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
    }
