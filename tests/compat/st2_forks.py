"""Runs commands of the official client as forks of one process that has imported it.

Importing the client takes ten times as long as one of its commands. The tests start hundreds of them, so each process
of tests imports it once. This file runs with the client's own interpreter, and uses the standard library and the client
only.

A request is one datagram on the socket whose descriptor is the argument: JSON with `words` and `environment`, and the
descriptors of standard output and error. The answer is the command's exit status as text.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from st2client.shell import main  # type: ignore[import-not-found,unused-ignore]

LARGEST = 1 << 20


def run(request: dict[str, Any], out: int, err: int) -> int:
    """Runs one command in a fork and returns its exit status."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = ["st2", *request["words"]]
        status = main(request["words"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def serve(requests: socket.socket) -> None:
    """Answers requests until the other side closes the socket."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 2)
        if not data:
            return
        status = run(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(str(status).encode())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
