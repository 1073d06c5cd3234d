"""Files of packs that are read, written and removed over the API: those of the pack, and links are not followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.packs.folders import PackFolders
from squall.core.content.action import Pack
from squall.core.errors import InvalidError


@pytest.fixture
def mine(tmp_path: Path) -> tuple[PackFolders, Pack, Path]:
    folder = tmp_path / "packs" / "mine"
    (folder / "actions").mkdir(parents=True)
    (folder / "pack.yaml").write_text("name: mine\n")
    source = PackFolders(tmp_path / "bundled" / "runners", [tmp_path / "packs"])
    [loaded] = source.load().packs
    return source, loaded.pack, folder


@pytest.mark.parametrize(
    "name",
    [
        "actions/../pack.yaml",
        "pack.yaml",
        "../x",
        "actions/../../x",
        "/etc/x",
        "",
        "actions/a\0b",
        "actions",
        "lib/x.py",
    ],
)
def test_only_files_of_actions_are_written_and_removed(mine: tuple[PackFolders, Pack, Path], name: str) -> None:
    source, pack, folder = mine
    before = sorted(path.relative_to(folder.parent) for path in folder.parent.rglob("*"))
    with pytest.raises(InvalidError, match="Invalid file path"):
        source.write_files(pack, {name: b"x"})
    with pytest.raises(InvalidError, match="Invalid file path"):
        source.remove_files(pack, [name])
    assert sorted(path.relative_to(folder.parent) for path in folder.parent.rglob("*")) == before


def test_a_link_is_replaced_and_removed_and_its_target_stays(mine: tuple[PackFolders, Pack, Path]) -> None:
    source, pack, folder = mine
    (folder / "lib").mkdir()
    (folder / "lib" / "shared.py").write_text("shared")
    link = folder / "actions" / "it.py"
    link.symlink_to("../lib/shared.py")
    source.write_files(pack, {"actions/it.py": b"new"})
    assert (link.is_symlink(), link.read_text()) == (False, "new")
    link.unlink()
    link.symlink_to("../lib/shared.py")
    source.remove_files(pack, ["actions/it.py"])
    assert not link.is_symlink()
    assert (folder / "lib" / "shared.py").read_text() == "shared"


def test_a_folder_of_actions_that_leads_out_of_the_pack_is_not_written(
    mine: tuple[PackFolders, Pack, Path], tmp_path: Path
) -> None:
    source, pack, folder = mine
    (tmp_path / "outside").mkdir()
    (folder / "actions" / "deep").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidError, match="Invalid file path"):
        source.write_files(pack, {"actions/deep/x.py": b"x"})
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("name", ["\0", "a\0b", "..", "../../etc/passwd", "/etc/passwd", ""])
def test_no_file_outside_of_a_pack_is_read(mine: tuple[PackFolders, Pack, Path], name: str) -> None:
    source, pack, _ = mine
    with pytest.raises(InvalidError, match="Invalid file path"):
        source.file(pack, name)
