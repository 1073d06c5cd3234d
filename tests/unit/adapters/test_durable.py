"""What was written durably is there after a loss of power at any moment, old or new, and never a part of it."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.disk import Disk, Told, crashes
from tests.doubles.recording import recorded_calls

from squall.adapters import durable

IMAGES = 6
"""How many of the disks that a loss of power may leave at one moment are looked at."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "root"
    folder.mkdir()
    return folder


def read(path: Path) -> str | None:
    """The text of a file or the target of a link; None if there is neither."""
    if path.is_symlink():
        return str(path.readlink())
    return path.read_text() if path.exists() else None


def check_every_crash(root: Path, path: str, work: Callable[[Callable[[str], None]], None]) -> None:
    """Runs `work`, which tells what `path` holds from then on, and checks each disk that may be left: `path` has the
    text that was told last, or the one that is told next."""
    disk = Disk(root)
    with recorded_calls(disk):
        work(disk.told)
    rng = random.Random(7)
    texts: list[object] = [None, *(change.fact for change in disk.changes if isinstance(change, Told))]
    assert len(texts) > 1
    for number in range(IMAGES):
        for crash in crashes(disk, range(len(disk.changes) + 1), rng):
            image = root.parent / f"image-{number}-{crash.at}"
            crash.restore(image)
            told = len(crash.facts)
            assert read(image / path) in texts[told : told + 2], f"behind change {crash.at}: {disk.changes[: crash.at]}"


def test_a_file_has_the_old_bytes_or_the_new_ones(root: Path) -> None:
    def work(told: Callable[[str], None]) -> None:
        for text in ("first", "second, longer", "3"):
            durable.write(root / "file", text.encode())
            told(text)

    check_every_crash(root, "file", work)


def test_a_file_in_a_new_folder_is_there_with_its_folders(root: Path) -> None:
    def work(told: Callable[[str], None]) -> None:
        durable.make_folder(root / "a" / "b")
        durable.write(root / "a" / "b" / "file", b"text")
        told("text")

    check_every_crash(root, "a/b/file", work)


def test_a_file_that_is_created_once_is_whole_and_never_replaced(root: Path) -> None:
    def work(told: Callable[[str], None]) -> None:
        assert durable.create(root / "key", b"the first")
        told("the first")
        assert not durable.create(root / "key", b"another")

    check_every_crash(root, "key", work)
    assert os.listdir(root) == ["key"]


def test_a_link_points_to_the_old_target_or_the_new_one(root: Path) -> None:
    def work(told: Callable[[str], None]) -> None:
        for target in ("versions/1", "versions/2"):
            durable.link(root / "pack", target)
            told(target)

    check_every_crash(root, "pack", work)


def test_appended_lines_stay(root: Path) -> None:
    disk = Disk(root)
    with recorded_calls(disk):
        for number in range(4):
            durable.append(root / "lines", f"{number}\n".encode())
            disk.told(number)
    for crash in crashes(disk, range(len(disk.changes) + 1), random.Random(3), shares=(0.0,)):
        crash.restore(root.parent / str(crash.at))
        lines = read(root.parent / str(crash.at) / "lines") or ""
        assert lines.startswith("".join(f"{fact}\n" for fact in crash.facts))


def test_the_disk_finds_out_who_syncs_too_little(root: Path) -> None:
    def work(told: Callable[[str], None]) -> None:
        descriptor = os.open(root / "new", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"text")
        os.fsync(descriptor)
        os.close(descriptor)
        (root / "new").replace(root / "file")
        told("text")

    with pytest.raises(AssertionError, match="behind change"):
        check_every_crash(root, "file", work)


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(root: Path) -> None:
    durable.write(root / "file", b"old")
    with pytest.raises(RuntimeError), durable.writing(root / "file") as put:
        put(b"new")
        raise RuntimeError("the source is gone")
    assert [(path.name, path.read_text()) for path in root.iterdir()] == [("file", "old")]


@pytest.mark.parametrize("mode", [0o600, 0o700])
def test_a_file_has_its_mode_whatever_the_umask(root: Path, mode: int) -> None:
    old = os.umask(0o277)
    try:
        durable.write(root / "file", b"", mode)
    finally:
        os.umask(old)
    assert stat.S_IMODE((root / "file").stat().st_mode) == mode


def test_a_folder_that_is_a_file_is_an_error(root: Path) -> None:
    (root / "file").touch()
    with pytest.raises(FileExistsError):
        durable.make_folder(root / "file")


def test_what_other_programs_have_written_can_be_synced(root: Path) -> None:
    durable.make_folder(root / "a" / "b")
    (root / "a" / "file").write_text("text")
    durable.sync_file(root / "a" / "file")
    durable.sync_tree(root)
    with pytest.raises(FileNotFoundError):
        durable.sync_tree(root / "none")
