"""What is an error of the environment, and what is not."""

from __future__ import annotations

import errno

import pytest

from squall.core import ERRNOS
from squall.core.environment import back_off, is_of_environment, judged
from squall.core.errors import ConfigError, InvalidError, KeyFileError, UnavailableError


def raised_from(cause: Exception) -> Exception:
    try:
        raise InvalidError("cannot be read") from cause
    except InvalidError as error:
        return error


@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EDQUOT, errno.EAGAIN],
)
def test_the_machines_errors_are_of_the_environment_also_as_causes(number: int) -> None:
    assert number in ERRNOS
    assert is_of_environment(OSError(number, "x"))
    assert is_of_environment(raised_from(OSError(number, "x")))


@pytest.mark.parametrize(
    "error",
    [UnavailableError("away"), KeyFileError("away"), MemoryError(), TimeoutError(), OSError("the keeper could not"),
     RuntimeError("can't start new thread")],
)  # fmt: skip
def test_so_are_a_store_a_key_file_memory_and_threads_that_are_away(error: Exception) -> None:
    assert is_of_environment(error)


@pytest.mark.parametrize(
    "number", [errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.E2BIG, errno.ENOEXEC, errno.EISDIR]
)
def test_errors_of_what_was_named_are_not(number: int) -> None:
    assert not is_of_environment(OSError(number, "x"))
    assert not is_of_environment(raised_from(OSError(number, "x")))


@pytest.mark.parametrize("error", [InvalidError("x"), ConfigError("x"), RuntimeError("x"), FileNotFoundError("x")])
def test_neither_are_wrong_input_and_defects(error: Exception) -> None:
    assert not is_of_environment(error)


def test_what_was_named_is_blamed_only_if_the_machine_is_not_in_the_way() -> None:
    otherwise = InvalidError("x cannot be read")
    assert judged(OSError(errno.ENOENT, "x"), otherwise) is otherwise
    unavailable = judged(OSError(errno.EMFILE, "x"), otherwise)
    assert (type(unavailable), str(unavailable)) == (UnavailableError, "x cannot be read")


def test_the_pause_between_tries_grows_and_ends_growing() -> None:
    assert [back_off(failures) for failures in (1, 2, 3, 10, 10_000)] == [0.2, 0.4, 0.8, 5.0, 5.0]
