"""Whether a server works, and what it says if it does not."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import InvalidError, UnavailableError
from squall.services import health as module
from squall.services.health import Health

pytestmark = pytest.mark.anyio


def nothing() -> None:
    """The data directory can be written."""


async def test_a_server_that_can_read_and_write_has_no_complaint(squall: Assembly) -> None:
    assert await Health(squall.store, squall.clock, nothing).complaint() is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE, errno.EDQUOT])
async def test_a_data_directory_that_cannot_be_written_is_told_until_it_can(squall: Assembly, number: int) -> None:
    errors = [OSError(number, "it cannot")]

    def check() -> None:
        if errors:
            raise errors.pop()

    health = Health(squall.store, squall.clock, check)
    assert "cannot write to its data directory: it cannot" in (await health.complaint() or "")
    # Whoever asks all the time costs no writing.
    assert "cannot write" in (await health.complaint() or "")
    squall.clock.advance(1)
    assert await health.complaint() is None


async def test_a_store_that_takes_no_writing_is_told(squall: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(work: Callable[[Any], Awaitable[Any]]) -> None:
        raise UnavailableError("it is locked")

    monkeypatch.setattr(squall.store, "tx", failing)
    health = Health(squall.store, squall.clock, nothing)
    assert await health.complaint() == "The database does not answer: it is locked"


async def test_what_belongs_to_the_start_is_tried_until_the_machine_lets_it(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "back_off", lambda _failures: 0)
    health = Health(squall.store, squall.clock, nothing)
    complaints: list[str | None] = []

    async def work() -> str:
        complaints.append(await health.complaint())
        if len(complaints) < 3:
            raise UnavailableError("full")
        return "done"

    assert await health.begun("packs cannot be registered", work) == "done"
    text = "The server has not begun all of its work: packs cannot be registered (full)."
    assert complaints == [None, text, text]
    assert health.hindered.is_set()
    assert await health.complaint() is None


async def test_other_errors_of_the_start_are_raised(squall: Assembly) -> None:
    async def work() -> None:
        raise InvalidError("wrong")

    with pytest.raises(InvalidError):
        await Health(squall.store, squall.clock, nothing).begun("it cannot", work)
