"""Running commands, as packs import it. Standard library only, Python 3.8."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

__all__ = ["quote_unix", "quote_windows", "run_command"]


def run_command(cmd, stdin=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, shell=False, cwd=None, env=None):
    """Runs a list of words, or with `shell` a text; gives (exit code, output, errors), the last two as text."""
    process = subprocess.Popen(
        args=cmd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env or os.environ.copy(),
        cwd=cwd,
        shell=shell,
    )
    told = [part.decode(sys.getdefaultencoding(), "replace") if part else part for part in process.communicate()]
    return process.returncode, told[0], told[1]


def quote_unix(value):
    """The value as one word of a POSIX shell."""
    return shlex.quote(str(value)) if value else ""


def quote_windows(value):
    """The value as one word of a Windows command line."""
    return subprocess.list2cmdline([str(value)])
