"""A restore that was cut off at any moment never leaves a data directory that looks whole."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from pathlib import Path

import pytest
from tests.doubles.disk import Disk, crashes
from tests.doubles.recording import recorded

from squall.adapters.sql.sqlite import open_store
from squall.commands import copies
from squall.commands import restore as module
from squall.commands.backup import backup
from squall.commands.copies import FORMAT
from squall.commands.restore import restore
from squall.core.errors import ConfigError
from squall.server import datadir

INCOMPLETE = "remove the directory and run squall restore again"
FILES = {
    "journals/69566/one.sealed": b"output" * 1000,
    "results/one": b"{}",
    "squall.toml": b"[server]\n",
    "users": b"ada:x\n",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A backup."""
    folder = tmp_path / "copy"
    folder.mkdir()
    store = open_store(folder / "squall.db", backup_suffix=".old")
    asyncio.run(store.close())
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    files = {}
    for name in ("squall.db", *FILES):
        data = (folder / name).read_bytes()
        files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"format": FORMAT, "with_key": False, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def looks_whole(home: Path) -> bool:
    """Returns True if a server would start with what is in the directory."""
    try:
        datadir.check_whole(home)
    except ConfigError:
        return False
    return any(path.is_file() and not path.name.startswith(".") for path in home.rglob("*"))


def is_whole(home: Path) -> bool:
    return (home / "squall.db").stat().st_size > 0 and all(
        (home / name).is_file() and (home / name).read_bytes() == data for name, data in FILES.items()
    )


def test_after_a_loss_of_power_in_a_restore_no_part_of_it_looks_whole(tmp_path: Path, copy: Path) -> None:
    disk = Disk((tmp_path / "disk").resolve())
    disk.root.mkdir()
    with recorded(disk):
        assert restore([str(copy), "--data-dir", str(disk.root / "home")]) == 0
    disk.told("restored")
    for crash in crashes(disk, range(len(disk.changes) + 1), random.Random(3), shares=(0.0, 0.5, 1.0)):
        image = tmp_path / str(crash.at)
        crash.restore(image)
        home = image / "home"
        assert not looks_whole(home) or is_whole(home), crash.at
        assert not crash.facts or looks_whole(home)


@pytest.mark.parametrize("files", range(len(FILES) + 1))
def test_a_killed_restore_is_told_with_the_cure_by_every_command(
    tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    written: list[object] = []
    write = copies.write

    def until_killed(*arguments: object) -> object:
        if len(written) == files:
            raise KeyboardInterrupt
        written.append(arguments)
        return write(*arguments)  # type: ignore[arg-type]

    home = tmp_path / "home"
    monkeypatch.setattr(module, "write", until_killed)
    with pytest.raises(KeyboardInterrupt):
        restore([str(copy), "--data-dir", str(home)])
    with pytest.raises(ConfigError, match=INCOMPLETE):
        datadir.prepare(home)
    with pytest.raises(ConfigError, match=INCOMPLETE):
        restore([str(copy), "--data-dir", str(home)])
    if (home / "squall.db").exists():
        with pytest.raises(ConfigError, match=INCOMPLETE):
            backup([str(tmp_path / "other"), "--data-dir", str(home)])


def test_a_restored_directory_is_whole_and_has_no_mark(tmp_path: Path, copy: Path) -> None:
    home = tmp_path / "home"
    assert restore([str(copy), "--data-dir", str(home)]) == 0
    assert is_whole(home)
    datadir.prepare(home)
    assert not (home / "restore.incomplete").exists()
