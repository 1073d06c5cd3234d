"""Starts and runs the processes that evaluate expressions: `start` creates one, `main` runs in it."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping

_MOST_MEMORY = 1 << 30
_MOST_FILES = 64


def start(environment: Mapping[str, str], connection: socket.socket) -> subprocess.Popen[bytes]:
    """Starts a process that evaluates what comes over `connection`, one end of a socket pair, until it is closed.

    `environment` are its variables: nothing that an expression could read is secret.
    """
    number = connection.fileno()
    return subprocess.Popen(
        [sys.executable, "-m", "squall.server.evaluator", str(number)],
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=dict(environment),
        cwd="/",
    )


def main(number: int) -> None:
    """Evaluates what comes over descriptor `number` until it is closed."""
    # Ctrl-C in a terminal must stop only the server, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # An expression may create values that the language's own limits do not foresee.
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from squall.adapters.evaluation.program import Program

    with socket.socket(fileno=number) as connection:
        Program(connection).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
