"""What may become part of a path: names of packs and files, and nothing that leads elsewhere."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from squall.core.errors import InvalidError
from squall.core.names import below, inner_path, is_file_name, pack_name

ROOT = PurePosixPath("/data/packs")
HOSTILE = ["", ".", "..", "../x", "a/b", "/", "/etc", "a\0b", "a\nb", "\ud800", "x" * 256, "é" * 200]


@pytest.mark.parametrize("text", [*HOSTILE, "Aws", "a-b", "a b", "a.b", "~", ".versions", "*", "ä", "٣"])
def test_what_is_no_name_of_a_pack_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="not a valid pack name"):
        pack_name(text)


def test_the_name_of_a_pack_is_kept() -> None:
    assert pack_name("my_pack_2") == "my_pack_2"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_path_is_made_of_what_is_no_name(text: str) -> None:
    assert not is_file_name(text)
    with pytest.raises(InvalidError, match="not a valid file name"):
        below(ROOT, text)
    with pytest.raises(InvalidError):
        below(ROOT, "a", text)


def test_a_name_leads_one_step_down() -> None:
    assert below(ROOT, "a b.yaml") == PurePosixPath("/data/packs/a b.yaml")
    assert below(ROOT, "..a", "b") == PurePosixPath("/data/packs/..a/b")


@pytest.mark.parametrize("text", ["", "/etc/passwd", "..", "../a", "a/../b", "a/..", "a\0", "a/b\nc", "."])
def test_a_path_that_leaves_its_folder_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="not a path below"):
        inner_path(text)


def test_a_path_below_a_folder_is_kept() -> None:
    assert inner_path("workflows/a.yaml") == PurePosixPath("workflows/a.yaml")
    assert inner_path("./a//b") == PurePosixPath("a/b")
