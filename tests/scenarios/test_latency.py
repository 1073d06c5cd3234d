"""Each line is at its reader's within a tenth of a second of being printed, by the time in its own text."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tests.scenarios.live.server import Server, read_line

CLOSE = 0.1


def seconds_since(line: bytes) -> float:
    """How long ago a line of the countdown was printed."""
    printed = datetime.fromisoformat(line.split()[0].decode().replace("Z", "+00:00"))
    return time.time() - printed.astimezone(UTC).timestamp()


def test_each_line_of_squall_run_arrives_within_100_ms(plain_server: Server) -> None:
    delays = []
    with plain_server.spawn("run", "examples.countdown", "count=5", "interval=0.5") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for number in range(5):
            line = read_line(process.stderr if number % 2 else process.stdout)
            delays.append(seconds_since(line))
            assert line.endswith(b"%d of 5\n" % (5 - number))
        assert read_line(process.stdout) == b"liftoff\n"
        assert process.wait(15) == 0
    assert max(delays) < CLOSE, delays
