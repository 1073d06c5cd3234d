"""The errors that people are told."""

from __future__ import annotations

import pytest

from squall.core import errors
from squall.core.errors import CODES, SquallError

CLASSES = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SquallError)]


def test_every_error_has_a_code_of_the_table_and_every_code_an_error() -> None:
    assert {each.code for each in CLASSES} == CODES.keys()
    assert len({each.code for each in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_is_told_with_its_status_and_its_message(error: type[SquallError]) -> None:
    told = error("what to do")
    assert str(told) == "what to do"
    assert (told.http_status, told.exit_status) == CODES[error.code]
    assert 400 <= told.http_status < 600
    assert told.exit_status == 2


@pytest.mark.parametrize(
    ("code", "status"),
    [("invalid", 400), ("not_found", 404), ("conflict", 409), ("forbidden", 403), ("unavailable", 503)],
)
def test_the_http_statuses_are_the_usual_ones(code: str, status: int) -> None:
    assert CODES[code].http == status


def test_what_is_no_kind_of_its_own_is_internal() -> None:
    assert SquallError("bug").http_status == 500
