"""A real S3 server on loopback, in a process of its own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from squall.testing.waiting import until

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


class Bucket:
    """The server at `url` with an empty bucket `kept`."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str) -> int:
        """One request without a signature; its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def empty(self, name: str) -> str:
        """Makes a new bucket; its name."""
        assert self.call("PUT", f"/{name}") == 200
        return name

    def stop(self) -> None:
        """Ends the server."""
        self.process.kill()
        self.process.wait()


@contextmanager
def bucket_server() -> Iterator[Bucket]:
    """Starts it, waits until it answers, ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **KEYS},
    )
    bucket = Bucket(port, process)
    try:

        def answers() -> bool:
            assert process.poll() is None, "the S3 server did not start"
            with suppress(OSError, http.client.HTTPException):
                return bucket.call("GET", "/moto-api/") < 500
            return False

        until(answers, "the S3 server answers", pause=0.05)
        yield bucket
    finally:
        bucket.stop()
