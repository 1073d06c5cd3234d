"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

from squall.adapters.memory import return_free_memory

SIZE, COUNT = 60_000, 1000


def resident() -> int:
    """The memory that this process has of its own, in bytes."""
    match = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps freed memory")
def test_what_was_freed_below_something_that_stays_is_given_back() -> None:
    pieces = [bytes(SIZE) for _ in range(COUNT)]
    last = bytes(SIZE)
    pieces.clear()
    before = resident()
    return_free_memory()
    assert before - resident() > SIZE * COUNT / 2
    assert len(last) == SIZE


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    return_free_memory()
