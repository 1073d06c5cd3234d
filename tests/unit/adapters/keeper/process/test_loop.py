"""The keeper's loop: who is served when."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from squall.adapters.keeper.process.loop import EpollLoop


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    made = [os.pipe() for _ in range(4)]
    yield made
    for reader, writer in made:
        os.close(reader)
        os.close(writer)


def test_who_becomes_ready_while_a_busy_one_is_served_waits_for_none_of_the_others(
    pipes: list[tuple[int, int]],
) -> None:
    loop, served = EpollLoop(), list[str]()
    *busy, (quiet, says) = pipes

    def serve_busy(number: int) -> None:
        # Its pipe stays full, as that of somebody who prints without end.
        served.append(f"busy {number}")
        os.write(says, b"x")
        if len(served) >= 5:
            loop.stop()

    def serve_quiet() -> None:
        os.read(quiet, 1)
        served.append("quiet")

    for number, (reader, writer) in enumerate(busy):
        os.write(writer, b"x")
        loop.add_reader(reader, serve_busy, number)
        loop.yield_to_others(reader)
    loop.add_reader(quiet, serve_quiet)
    loop.run()
    assert served[1::2] == ["quiet"] * 3
    assert sorted(served[::2]) == ["busy 0", "busy 1", "busy 2"]


def test_one_that_is_removed_by_another_of_its_turn_is_not_served(pipes: list[tuple[int, int]]) -> None:
    loop, served = EpollLoop(), list[int]()

    def serve(number: int) -> None:
        served.append(number)
        for other, (reader, _) in enumerate(pipes):
            if other != number:
                loop.remove_reader(reader)
        loop.stop()

    for number, (reader, writer) in enumerate(pipes):
        os.write(writer, b"x")
        loop.add_reader(reader, serve, number)
        loop.yield_to_others(reader)
    loop.run()
    assert len(served) == 1
