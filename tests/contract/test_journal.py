"""The journals, under their contract."""

from __future__ import annotations

from squall.testing.journal import JournalContract


class TestFileJournal(JournalContract):
    pass
