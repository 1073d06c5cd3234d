"""The journals being written: opened when needed, flushed once, closed when their tree is done."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.tools import open_below

from squall.adapters.keeper.process.writing.journals import Journals
from squall.adapters.keeper.process.writing.writer import DiskFullError
from squall.core.output import journal
from squall.testing.samples import sample_id

TREE = sample_id(1)


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    return Journals(tmp_path, bytes(16), 1, floor=0)


def test_a_writer_is_opened_once_and_only_if_it_may_be(journals: Journals, tmp_path: Path) -> None:
    assert journals.writer(TREE, create=False) is None
    assert list(tmp_path.iterdir()) == []
    made = journals.writer(TREE, create=True)
    assert made is not None
    assert journals.writer(TREE, create=False) is made
    assert (tmp_path / journal.file_name(TREE)).exists()
    assert journals.trees() == [TREE]


def test_a_closed_tree_may_be_opened_again(journals: Journals) -> None:
    writer = journals.writer(TREE, create=True)
    assert writer is not None
    writer.output(TREE, 1, 1, b"x")
    journals.close(TREE, 2)
    journals.close(TREE, 2)
    assert journals.trees() == []
    again = journals.writer(TREE, create=False)
    assert again is not None
    assert again.committed == writer.committed


def test_what_was_asked_for_since_the_last_flush_is_dirty_once(journals: Journals) -> None:
    first, second = journals.writer(TREE, create=True), journals.writer(sample_id(2), create=True)
    assert journals.take_dirty_of(TREE) is first
    assert journals.take_dirty_of(TREE) is None
    assert journals.take_dirty() == [second]
    assert journals.take_dirty() == []


def test_flushing_a_tree_that_has_just_been_closed_does_no_harm(journals: Journals) -> None:
    journals.writer(TREE, create=True)
    (dirty,) = journals.take_dirty()
    journals.close(TREE, 1)
    dirty.flush()


def test_closing_everything_leaves_nothing_open(journals: Journals, tmp_path: Path) -> None:
    for number in range(5):
        journals.writer(sample_id(number), create=True)
    journals.close_all()
    journals.close_all()
    assert open_below(tmp_path) == []
    assert journals.trees() == []


def test_output_leaves_the_free_space_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [50 << 20]
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free[0] // 4096, f_frsize=4096))
    journals = Journals(tmp_path, bytes(16), 1, floor=40 << 20)
    journals.reserve(1 << 20)
    free[0] = 40 << 20
    with pytest.raises(DiskFullError, match="floor"):
        for _ in range(40):
            journals.reserve(1 << 20)
    with pytest.raises(DiskFullError, match="floor"):
        journals.reserve(1)
    free[0] = 50 << 20
    journals.reserve(1)
