"""Packs with the official client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Ran, Server

PACK = "ref: mine\nname: mine\ndescription: d\nversion: {version}\nauthor: a\n"
St2 = Callable[..., Ran]


def test_packs_are_listed_shown_and_registered(plain_server: Server, st2: St2) -> None:
    listed = st2(plain_server, "pack", "list", "-j")
    assert {"core", "examples"} <= {pack["ref"] for pack in json.loads(listed.out)}
    shown = st2(plain_server, "pack", "get", "core", "-j")
    assert json.loads(shown.out)["name"] == "core", shown
    registered = st2(plain_server, "pack", "register", "examples", "--types", "actions", "-j")
    assert registered.status == 0, registered
    assert json.loads(registered.out)["actions"] > 0
    missing = st2(plain_server, "pack", "get", "nosuch")
    assert b"not found" in missing.out + missing.err


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Server]:
    env = {
        **QUICK,
        "SQUALL_CONTENT_PIP_OPTIONS": "--no-index",
        "SQUALL_CONTENT_INDEX_URL": str(tmp_path / "index.json"),
    }
    (tmp_path / "index.json").write_text(
        json.dumps({"packs": {"aws": {"ref": "aws", "name": "aws", "version": "1.0.0"}}})
    )
    server = Server(tmp_path, env=env)
    try:
        yield server.start()
    finally:
        server.stop()


def test_packs_are_installed_from_a_folder_and_from_git_shown_and_removed(
    offline: Server, st2: St2, tmp_path: Path
) -> None:
    pack = tmp_path / "mine"
    (pack / "actions").mkdir(parents=True)
    (pack / "actions" / "hi.yaml").write_text(
        "name: hi\nrunner_type: local-shell-cmd\nparameters: {cmd: {default: echo hi}}\n"
    )
    (pack / "config.schema.yaml").write_text("region: {type: string, required: true, default: eu}\n")
    (pack / "pack.yaml").write_text(PACK.format(version="1.0.0"))
    installed = st2(offline, "pack", "install", f"file://{pack}")
    assert installed.status == 0, installed
    for task in (b"init_task", b"download_pack", b"install_pack_requirements", b"register_pack"):
        assert b"succeeded" in installed.out
        assert task in installed.out
    assert b"1.0.0" in installed.out
    git = ["git", "-C", str(pack), "-c", "user.name=a", "-c", "user.email=a@b"]
    (pack / "pack.yaml").write_text(PACK.format(version="2.0.0"))
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v2.0.0"]):
        subprocess.run([*git, *words], check=True)
    bare = tmp_path / "mine.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(pack), str(bare)], check=True)
    again = st2(offline, "pack", "install", f"file://{bare}=2.0.0")
    assert (again.status, b"2.0.0" in again.out) == (0, True), again
    assert b"hi" in st2(offline, "run", "mine.hi").out
    assert b"aws" in st2(offline, "pack", "search", "aws").out
    assert b"1.0.0" in st2(offline, "pack", "show", "aws").out
    removed = st2(offline, "pack", "remove", "mine")
    assert removed.status == 0, removed
    assert st2(offline, "pack", "get", "mine").status != 0
    missing = st2(offline, "pack", "install", "nosuch")
    assert missing.status == 1
    assert b'No record of the "nosuch" pack in the index.' in missing.out
