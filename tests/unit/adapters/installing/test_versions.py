"""Versions side by side: what is used changes at once, and stays when what is new is given up."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import IO

import pytest

from squall.adapters.installing.versions import Installed, Versions
from squall.core.errors import InvalidError
from squall.testing.waiting import until


def stage(versions: Versions, text: str) -> Path:
    path = versions.new("p")
    path.mkdir()
    (path / "file").write_text(text)
    versions.stage("p", path)
    return path


def test_what_is_prepared_is_not_used_before_it_is_said(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    assert versions.activate("p") is False
    stage(versions, "one")
    assert not versions.active("p").exists()
    assert versions.activate("p") is True
    assert (versions.active("p") / "file").read_text() == "one"
    assert versions.staged("p") is None


def test_what_began_with_a_version_keeps_it(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    stage(versions, "one")
    versions.activate("p")
    running = versions.active("p").resolve()
    stage(versions, "two")
    versions.activate("p")
    versions.clean("p")
    assert (running / "file").read_text() == "one"
    assert (versions.active("p") / "file").read_text() == "two"
    os.utime(running.parent, (1, 1))
    versions.clean("p")
    assert not running.exists()
    assert (versions.active("p") / "file").read_text() == "two"


def test_what_is_given_up_leaves_what_is_used(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    stage(versions, "one")
    versions.activate("p")
    given_up = stage(versions, "two")
    versions.discard("p")
    assert not given_up.exists()
    assert versions.activate("p") is False
    assert (versions.active("p") / "file").read_text() == "one"


def test_a_folder_that_was_put_there_by_hand_is_replaced_too(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "file").write_text("by hand")
    stage(versions, "one")
    versions.activate("p")
    assert (versions.active("p") / "file").read_text() == "one"


def test_nothing_is_left_of_what_is_removed(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    for text in ("one", "two", "three"):
        stage(versions, text)
        if text != "three":
            versions.activate("p")
    assert versions.remove("p") is True
    assert not versions.active("p").is_symlink()
    assert list((tmp_path / ".versions").iterdir()) == []
    assert versions.remove("p") is False


def test_of_two_who_change_one_pack_one_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = Versions(tmp_path)
    order: list[str] = []
    flock, waiting = fcntl.flock, threading.Event()

    def watched(file: IO[str], operation: int) -> None:
        if not operation & fcntl.LOCK_NB:
            waiting.set()
        flock(file, operation)

    def second() -> None:
        with Versions(tmp_path).locked("p"):
            order.append("second")

    thread = threading.Thread(target=second)
    with versions.locked("p"):
        monkeypatch.setattr(fcntl, "flock", watched)
        thread.start()
        until(lambda: waiting.is_set() or order, "the second waits for the lock")
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("ref", ["", ".", "..", "../outside", ".versions", ".staged", "/etc", "a/b", "*", "a\0b", "P"])
def test_what_is_no_name_of_a_pack_touches_nothing(tmp_path: Path, ref: str) -> None:
    versions = Versions(tmp_path / "packs")
    stage(versions, "one")
    versions.activate("p")
    (tmp_path / "squall.db").write_text("rows")
    for use in (versions.remove, versions.discard, versions.staged, versions.new, versions.activate, versions.clean):
        with pytest.raises(InvalidError, match="not a valid pack name"):
            use(ref)
    with pytest.raises(InvalidError), versions.locked(ref):
        pass
    assert (versions.active("p") / "file").read_text() == "one"
    assert (tmp_path / "squall.db").exists()


@pytest.mark.parametrize("target", ["{absolute}", "../work/p"])
@pytest.mark.parametrize("staged_before", [False, True])
def test_removing_a_link_keeps_the_checkout_it_leads_to(tmp_path: Path, target: str, staged_before: bool) -> None:
    work = tmp_path / "work" / "p"
    work.mkdir(parents=True)
    (work / "file").write_text("unsaved")
    versions = Versions(tmp_path / "packs")
    (tmp_path / "packs").mkdir()
    if staged_before:
        stage(versions, "one")
        versions.activate("p")
        versions.active("p").unlink()
    versions.active("p").symlink_to(target.format(absolute=work))
    assert versions.remove("p")
    assert not versions.active("p").is_symlink()
    assert (work / "file").read_text() == "unsaved"
    assert not list((tmp_path / "packs" / ".versions").glob("*/p"))


def test_a_link_that_leads_nowhere_is_removed(tmp_path: Path) -> None:
    (tmp_path / "p").symlink_to("nowhere")
    assert Versions(tmp_path).remove("p")
    assert not (tmp_path / "p").is_symlink()


def test_installing_over_a_link_keeps_the_checkout(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "file").write_text("unsaved")
    versions = Versions(tmp_path / "packs")
    (tmp_path / "packs").mkdir()
    versions.active("p").symlink_to(work)
    stage(versions, "one")
    versions.activate("p")
    assert (versions.active("p") / "file").read_text() == "one"
    versions.remove("p")
    assert (work / "file").read_text() == "unsaved"


def test_installations_do_not_see_what_others_prepare_and_the_last_to_finish_wins(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    for installation in ("a1", "b2"):
        path = versions.new("p")
        path.mkdir()
        (path / "file").write_text(installation)
        versions.stage("p", path, installation)
    assert versions.staged("p") is None
    assert versions.activate("p", "b2") is True
    assert (versions.active("p") / "file").read_text() == "b2"
    assert versions.activate("p", "a1") is True
    assert (versions.active("p") / "file").read_text() == "a1"
    assert versions.activate("p", "a1") is False
    assert list(tmp_path.glob(".staged.*")) == []


def test_what_an_installation_left_that_failed_goes_a_day_later(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    version = versions.new("p")
    version.mkdir()
    versions.stage("p", version, "a1")
    versions.clean("p")
    assert versions.staged("p", "a1") == version
    os.utime(version.parent, (1, 1))
    versions.clean("p")
    assert not version.exists()
    assert list(tmp_path.glob(".staged.*")) == []


@pytest.mark.parametrize("installation", ["..", "../x", "a/b", "a.b", "x" * 65])
def test_what_is_no_id_of_an_installation_is_refused(tmp_path: Path, installation: str) -> None:
    with pytest.raises(InvalidError, match="is not the id of an execution"):
        Versions(tmp_path).staged("p", installation)


def test_two_installations_that_end_at_once_leave_a_pack_with_its_own_virtualenv(tmp_path: Path) -> None:
    packs, virtualenvs = Versions(tmp_path / "packs"), Versions(tmp_path / "virtualenvs")
    for installation in ("a1", "b2"):
        for versions in (packs, virtualenvs):
            path = versions.new("p")
            path.mkdir()
            (path / "file").write_text(installation)
            versions.stage("p", path, installation)
    installed = Installed(packs, virtualenvs)
    threads = [threading.Thread(target=installed.activate, args=("p", each)) for each in ("a1", "b2")]
    with packs.locked("p"):
        for thread in threads:
            thread.start()
        assert not virtualenvs.active("p").exists()
    for thread in threads:
        thread.join()
    texts = {(versions.active("p") / "file").read_text() for versions in (packs, virtualenvs)}
    assert len(texts) == 1
