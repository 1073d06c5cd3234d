from __future__ import annotations

import pytest

from squall.cli.terminal.exits import OF_STATUS, of_status
from squall.client.follow import FINAL


@pytest.mark.parametrize(
    ("status", "expected"),
    [("succeeded", 0), ("failed", 1), ("abandoned", 3), ("timeout", 124), ("canceled", 130), ("running", 2), ("", 2)],
)
def test_every_status_has_its_exit_status(status: str, expected: int) -> None:
    assert of_status(status) == expected


def test_the_table_has_every_final_status_and_no_two_outcomes_look_alike() -> None:
    assert set(OF_STATUS) == FINAL
    assert len(set(OF_STATUS.values())) == len(OF_STATUS)
