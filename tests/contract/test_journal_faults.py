"""The contract of journals finds what is wrong, and bears what is only unpleasant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.doubles.unruly import Fault, FaultyJournal, UnrulyJournal

from squall.core.output.journal import Record
from squall.ports import Journal, Launcher
from squall.testing.journal import JournalContract

SUITE = JournalContract()
Told = tuple[list[Record], int]


class TestUnrulyJournal(JournalContract):
    @pytest.fixture
    def journal(self, files: Journal) -> Journal:
        return UnrulyJournal(files)


def loses(records: list[Record], position: int) -> Told:
    return records[:1] + records[2:], position


def repeats(records: list[Record], position: int) -> Told:
    return records[:1] + records, position


def reorders(records: list[Record], position: int) -> Told:
    return [*records[:-2], *reversed(records[-2:])], position


def stands_still(records: list[Record], position: int) -> Told:
    return records, records[0].end if records else position


def runs_ahead(records: list[Record], position: int) -> Told:
    return records[:-1] or records, position


def changes_bytes(records: list[Record], position: int) -> Told:
    return [record._replace(event=record.event + 1) for record in records], position


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [loses, repeats, reorders, stands_still, runs_ahead, changes_bytes])
@pytest.mark.parametrize(
    "fact",
    [
        lambda launcher, journal: SUITE.test_batches_of_any_size_join_to_the_same_records(launcher, journal, 200),
        lambda launcher, journal: SUITE.test_one_execution_is_read_without_the_others(launcher, journal, True),
    ],
)
async def test_the_suite_finds_a_journal_that(
    fact: Callable[[Launcher, Journal], Awaitable[None]], fault: Fault, launcher: Launcher, files: Journal
) -> None:
    with pytest.raises((AssertionError, IndexError)):
        await fact(launcher, FaultyJournal(files, fault))


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [True, False])
async def test_the_suite_finds_a_journal_that_takes_any_position_or_none(
    answer: bool, launcher: Launcher, files: Journal
) -> None:
    journal = FaultyJournal(files, lambda records, position: (records, position), checks=answer)
    with pytest.raises(AssertionError):
        await SUITE.test_a_position_is_one_if_a_record_ends_there(launcher, journal)
