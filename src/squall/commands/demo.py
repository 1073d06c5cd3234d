"""`squall demo`: runs a server in a temporary directory and one action with live output, and prints next steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_READY_WITHIN = 20.0
_NEXT = """
That was a server, an action and its live output, all in a temporary directory that is gone now. Next:

  squall serve                                    start your own server (data in ~/.squall, port 9101)
  squall run core.local cmd='ping -c 5 localhost' run any command and watch it
  squall tail                                     the last execution again, from its first byte
  eval "$(squall env)"; st2 run core.local cmd=date     the official st2 client against your server
  curl -N http://127.0.0.1:9101/v1/executions/last/output

(`squall` is .venv/bin/squall here; docs/ says more.)"""


def demo(arguments: list[str]) -> int:
    """Runs the demonstration. Returns the exit status. It takes no arguments."""
    if arguments:
        print("usage: squall demo", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="squall-demo-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
        print(f"Starting a server in {folder} …", flush=True)
        command = [sys.executable, "-m", "squall", "serve", "--port", "0", "--data-dir", folder]
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        try:
            url = _wait(server, Path(folder))
            if url is None:
                return 2
            print(f"It answers at {url}. Running examples.countdown, on stdout and stderr:\n", flush=True)
            status = subprocess.run(
                [sys.executable, "-m", "squall", "--url", url, "run", "examples.countdown", "count=8", "interval=0.4"],
                env=environment,
                check=False,
            ).returncode
        finally:
            server.terminate()
            server.communicate()
    if status == 0:
        print(_NEXT)
    return status


def _wait(server: subprocess.Popen[bytes], folder: Path) -> str | None:
    """Waits for the server and returns its URL. If it ends or takes too long, prints its errors and returns None."""
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return str(json.loads((folder / "server.json").read_text())["url"])
        except (OSError, ValueError, KeyError):
            time.sleep(0.02)
    server.kill()
    _, errors = server.communicate()
    print(f"squall: the server did not start:\n{errors.decode(errors='replace')}", file=sys.stderr)
    return None
