"""The journals, under their contract: live, sealed into files and rows, moved to a blob store, and any mix of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.journals import Kept

from squall.adapters.journal.files import FileJournal
from squall.ports import Launcher
from squall.testing.journal import JournalContract
from squall.testing.sealed import SealedJournal


class TestFileJournal(JournalContract):
    pass


class TestSealedJournals(JournalContract):
    """Sealed before every read, opened for every write."""

    @pytest.fixture(params=["row", "file", "blob"])
    def kept(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
        made = Kept(tmp_path, small=1 << 30 if request.param == "row" else 0)
        yield made
        made.close()

    @pytest.fixture
    def both(
        self,
        request: pytest.FixtureRequest,
        kept: Kept,
        files: FileJournal,
        keeper: Launcher,
    ) -> SealedJournal:
        return SealedJournal(files, keeper, kept.archive, far=request.node.callspec.params["kept"] == "blob")

    @pytest.fixture
    def journal(self, both: SealedJournal) -> SealedJournal:
        return both

    @pytest.fixture
    def launcher(self, both: SealedJournal) -> SealedJournal:
        return both
