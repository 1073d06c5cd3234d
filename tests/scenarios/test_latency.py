"""Each line is at its reader's before the action prints the next. How soon is measured by `make bench`."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.live.pack import Strings
from tests.scenarios.live.server import Server, read_line

from squall.testing.waiting import PATIENCE


def test_each_line_of_squall_run_arrives_before_the_next_is_printed(plain_server: Server, tmp_path: Path) -> None:
    strings = Strings(tmp_path / "orders")
    with plain_server.spawn("run", "live.puppet", f"orders={strings.path}") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for number in range(10):
            to, stream = (2, process.stderr) if number % 2 else (1, process.stdout)
            strings.say(b"line %d\n" % number, to)
            assert read_line(stream) == b"line %d\n" % number
        strings.end()
        assert process.wait(PATIENCE) == 0
    strings.close()
