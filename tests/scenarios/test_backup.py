"""Backups: made while the server works, checked, put back; and what is refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import SQUALL, Server, environment, serving

from squall.testing.waiting import until


def squall(home: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*SQUALL, *words], capture_output=True, env=environment(home), timeout=60, check=False)


def output(server: Server, execution: str) -> bytes:
    with server.output(execution, format="raw") as stream:
        return stream.rest()


def wait_sealed(server: Server, execution: str) -> None:
    path = f"/v1/executions/{execution}/output/verify"
    until(lambda: server.get(path)["recorded_digest"], "it is sealed")


@pytest.fixture(scope="module")
def sealing(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    env = {**QUICK, "SQUALL_STORAGE_SEAL_AFTER_SECONDS": "0.01", "SQUALL_STORAGE_JANITOR_SECONDS": "0.05"}
    with serving(tmp_path_factory.mktemp("sealing"), packs, env=env) as server:
        yield server


def test_what_is_restored_is_what_was_there(sealing: Server, packs: Path, tmp_path: Path) -> None:
    key = {"name": "kept", "value": "behind a lock", "secret": True}
    assert sealing.call("PUT", "/v1/keys/kept", key).status == 200
    secret = sealing.request("core.local", cmd="echo small")
    large = sealing.shell("head -c 300000 /dev/urandom | od")
    for execution in (secret, large):
        sealing.ended(execution)
        wait_sealed(sealing, execution)
    with sealing.puppet() as (running, strings):
        strings.say(b"begun\n")
        sealing.running(running)
        made = squall(sealing.home, "backup", str(tmp_path / "copy"), "--data-dir", str(sealing.data_dir), "--with-key")
        assert made.returncode == 0, made.stderr
    expected = {execution: output(sealing, execution) for execution in (secret, large)}
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_bytes())
    assert {"secret.key", "datastore.key.json", "squall.db"} <= manifest["files"].keys()

    home = tmp_path / "again"
    home.mkdir()
    restored = squall(home, "restore", str(tmp_path / "copy"), "--data-dir", str(home / "data"))
    assert restored.returncode == 0, restored.stderr
    with serving(home, packs, env=QUICK) as again:
        for execution, printed in expected.items():
            assert output(again, execution) == printed
            assert again.get(f"/v1/executions/{execution}/output/verify")["ok"]
            assert again.get(f"/v1/executions/{execution}")["status"] == "succeeded"
        assert again.get("/v1/keys/kept", decrypt="true")["value"] == "behind a lock"
        # What ran then does not run here.
        until(lambda: again.get(f"/v1/executions/{running}")["status"] == "abandoned", "it is abandoned")
        assert again.get(f"/v1/executions/{running}/output/verify")["ok"]
        other = again.shell("echo goes on")
        again.ended(other)
        assert output(again, other) == b"goes on\n"


def test_installed_packs_their_configurations_and_users_are_in_a_backup(tmp_path: Path) -> None:
    pack = tmp_path / "kept"
    (pack / "actions").mkdir(parents=True)
    (pack / "pack.yaml").write_text("ref: kept\nname: kept\ndescription: d\nversion: 1.0.0\nauthor: a\n")
    (pack / "actions" / "say.yaml").write_text("name: say\nrunner_type: local-shell-script\nentry_point: say.sh\n")
    (pack / "actions" / "say.sh").write_text("#!/bin/sh\necho kept\n")
    (pack / "actions" / "say.sh").chmod(0o755)
    (pack / "config.schema.yaml").write_text("token: {type: string, secret: true}\n")
    home, other = tmp_path / "home", tmp_path / "other"
    for folder in (home, other):
        folder.mkdir()
    env = {**QUICK, "SQUALL_CONTENT_PIP_OPTIONS": "--no-index"}
    server = Server(home, env=env)
    try:
        server.start()
        started = server.call("POST", "/v1/packs/install", {"packs": [str(pack)]}).json["execution_id"]
        assert server.ended(started)["status"] == "succeeded"
        assert server.call("PUT", "/v1/configs/kept", {"token": "t0ps3cret"}).status == 200
        (server.data_dir / "htpasswd").write_text("ada:x\n")
        made = squall(home, "backup", str(tmp_path / "copy"), "--data-dir", str(server.data_dir), "--with-key")
        assert made.returncode == 0, made.stderr
    finally:
        server.stop()
    restored = squall(other, "restore", str(tmp_path / "copy"), "--data-dir", str(other / "data"))
    assert restored.returncode == 0, restored.stderr
    again = Server(other, env=env)
    try:
        again.start()
        assert again.ended(again.request("kept.say"))["result"]["stdout"] == "kept"
        assert again.get("/v1/configs/kept", show_secrets="true")["values"] == {"token": "t0ps3cret"}
        assert (again.data_dir / "htpasswd").read_text() == "ada:x\n"
        assert not (again.data_dir / "packs" / ".versions").exists()
    finally:
        again.stop()


def test_a_backup_made_under_load_is_whole(sealing: Server, packs: Path, tmp_path: Path) -> None:
    executions = [sealing.shell(f"for i in 1 2 3 4 5 6 7 8; do echo {n} $i; sleep 0.02; done") for n in range(20)]
    for number in range(2):
        made = squall(sealing.home, "backup", str(tmp_path / f"{number}"), "--data-dir", str(sealing.data_dir))
        assert made.returncode == 0, made.stderr
        assert b"not in the backup: secret.key" in made.stderr
        assert not (tmp_path / f"{number}" / "secret.key").exists()
    for execution in executions:
        sealing.ended(execution)
    expected = {execution: output(sealing, execution) for execution in executions}
    for number in range(2):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        assert squall(home, "restore", str(tmp_path / f"{number}"), "--data-dir", str(home / "data")).returncode == 0
        for key in sealing.data_dir.glob("*.key*"):
            # Restoring has said that they are missing.
            shutil.copy(key, home / "data")
        with closing(sqlite3.connect(home / "data" / "squall.db")) as database:
            found = dict(database.execute("SELECT id, status FROM executions").fetchall())
        with serving(home, packs, env=QUICK) as again:
            for execution in executions:
                if execution in found:
                    status = again.ended(execution)["status"]
                    printed = output(again, execution)
                    assert expected[execution].startswith(printed)
                    if found[execution] == "succeeded":
                        assert (status, printed) == ("succeeded", expected[execution])
                    assert again.get(f"/v1/executions/{execution}/output/verify")["faults"] == []


def test_a_damaged_or_partial_backup_is_refused(sealing: Server, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert squall(sealing.home, "backup", str(copy), "--data-dir", str(sealing.data_dir)).returncode == 0
    again = squall(sealing.home, "backup", str(copy), "--data-dir", str(sealing.data_dir))
    assert again.returncode == 2 and b"is not empty" in again.stderr
    busy = squall(sealing.home, "restore", str(copy), "--data-dir", str(sealing.data_dir))
    assert busy.returncode == 2 and b"is not empty" in busy.stderr

    with open(copy / "squall.db", "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    damaged = squall(tmp_path, "restore", str(copy), "--data-dir", str(tmp_path / "new"))
    assert damaged.returncode == 2 and b"damaged" in damaged.stderr
    assert not (tmp_path / "new").exists()
    (copy / "manifest.json").unlink()
    partial = squall(tmp_path, "restore", str(copy), "--data-dir", str(tmp_path / "new"))
    assert partial.returncode == 2 and b"no manifest.json" in partial.stderr


def test_what_is_no_data_directory_is_told(tmp_path: Path) -> None:
    ran = squall(tmp_path, "backup", str(tmp_path / "copy"), "--data-dir", str(tmp_path / "none"))
    assert ran.returncode == 2 and b"no data directory" in ran.stderr
    assert not (tmp_path / "copy").exists()
