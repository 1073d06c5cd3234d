"""The journals, under their contract: live, sealed into files and rows, moved to a blob store, and any mix of it."""

from __future__ import annotations

import pytest

from squall.adapters.journal import archive
from squall.adapters.journal.files import FileJournal
from squall.ports import Launcher
from squall.testing.journal import JournalContract
from squall.testing.journals import Kept
from squall.testing.sealed import SealedJournal


class TestFileJournal(JournalContract):
    pass


class TestSealedJournals(JournalContract):
    """Sealed before every read, opened for every write."""

    @pytest.fixture(params=["row", "file", "blob"])
    def both(
        self,
        request: pytest.FixtureRequest,
        kept: Kept,
        files: FileJournal,
        keeper: Launcher,
        monkeypatch: pytest.MonkeyPatch,
    ) -> SealedJournal:
        if request.param != "row":
            monkeypatch.setattr(archive, "SMALL", 0)
        return SealedJournal(files, keeper, kept.archive, far=request.param == "blob")

    @pytest.fixture
    def journal(self, both: SealedJournal) -> SealedJournal:
        return both

    @pytest.fixture
    def launcher(self, both: SealedJournal) -> SealedJournal:
        return both
