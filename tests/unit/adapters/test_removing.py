"""What is removed lies below one root, and nothing is removed through a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.removing import remove, remove_empty
from squall.core.errors import InvalidError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "pack" / "actions").mkdir(parents=True)
    (folder / "pack" / "actions" / "a.py").write_text("a")
    (tmp_path / "outside" / "pack").mkdir(parents=True)
    (tmp_path / "outside" / "pack" / "work").write_text("unsaved")
    return folder


def test_files_and_folders_are_removed_with_all_that_is_in_them(root: Path) -> None:
    (root / "file").write_text("x")
    assert remove(root, root / "file")
    assert remove(root, root / "pack")
    assert list(root.iterdir()) == []
    assert not remove(root, root / "pack")
    assert not remove(root, root / "none" / "pack")


@pytest.mark.parametrize("target", ["../outside/pack", "{absolute}"])
def test_a_link_is_removed_and_what_it_leads_to_stays(root: Path, target: str) -> None:
    outside = root.parent / "outside" / "pack"
    (root / "link").symlink_to(target.format(absolute=outside))
    assert remove(root, root / "link")
    assert not (root / "link").is_symlink()
    assert (outside / "work").read_text() == "unsaved"


def test_links_inside_of_a_folder_keep_their_targets(root: Path) -> None:
    outside = root.parent / "outside" / "pack"
    (root / "pack" / "lib").symlink_to(outside)
    (root / "pack" / "work").symlink_to(outside / "work")
    assert remove(root, root / "pack")
    assert (outside / "work").read_text() == "unsaved"


def test_a_link_that_leads_nowhere_is_removed(root: Path) -> None:
    (root / "link").symlink_to("nowhere")
    assert remove(root, root / "link")
    assert list(root.iterdir()) == [root / "pack"]


@pytest.mark.parametrize("path", ["", ".", "..", "../outside", "pack/..", "pack/../..", "../root"])
def test_nothing_at_or_above_the_root_is_removed(root: Path, path: str) -> None:
    with pytest.raises(InvalidError, match="not removed"):
        remove(root, Path(f"{root}/{path}"))
    assert (root / "pack" / "actions" / "a.py").exists()
    assert (root.parent / "outside" / "pack" / "work").exists()


def test_a_link_on_the_way_leads_nowhere_else(root: Path) -> None:
    (root / "versions").symlink_to(root.parent / "outside")
    with pytest.raises(InvalidError, match="not removed"):
        remove(root, root / "versions" / "pack")
    assert (root.parent / "outside" / "pack" / "work").exists()


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    (root.parent / "here").symlink_to(root)
    assert remove(root.parent / "here", root.parent / "here" / "pack")
    assert not (root / "pack").exists()


def test_only_an_empty_folder_is_removed_as_such(root: Path) -> None:
    remove_empty(root, root / "pack")
    assert (root / "pack").exists()
    (root / "empty").mkdir()
    remove_empty(root, root / "empty")
    assert not (root / "empty").exists()
