"""`/storage` over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK, packs
from tests.scenarios.live.server import Server, serving

from squall.testing.waiting import until

__all__ = ["packs"]


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    env = {**QUICK, "SQUALL_STORAGE_SEAL_AFTER_SECONDS": "0.01", "SQUALL_STORAGE_JANITOR_SECONDS": "0.05"}
    with serving(tmp_path_factory.mktemp("keeping"), packs, env=env) as server:
        yield server


def sealed(server: Server, execution: str) -> dict[str, Any]:
    """Waits until the output of an execution is sealed; what verifying it finds."""
    path = f"/v1/executions/{execution}/output/verify"
    found: dict[str, Any] = until(lambda: (got := server.get(path))["recorded_digest"] and got, "it is sealed")
    return found


def test_output_is_sealed_and_reads_as_before(keeping: Server) -> None:
    execution = keeping.shell("echo one; sleep 0.01; echo two; head -c 100000 /dev/zero")
    keeping.ended(execution)
    with keeping.output(execution, format="raw") as stream:
        before = stream.rest()
    found = sealed(keeping, execution)
    assert found["ok"] and found["place"] == "file" and found["digest"] == found["recorded_digest"]
    with keeping.output(execution, format="raw") as stream:
        assert stream.rest() == before
    assert not keeping.data_dir.joinpath("journals", execution[:5], f"{execution}.journal").exists()


def test_the_command_verifies_and_tells_damage(keeping: Server) -> None:
    execution = keeping.shell("head -c 300000 /dev/urandom | od")
    keeping.ended(execution)
    sealed(keeping, execution)
    ran = keeping.squall("output", "verify", execution)
    assert ran.status == 0 and f"{execution} ok: ".encode() in ran.out and b"sealed (file)" in ran.out
    path = keeping.data_dir / "journals" / execution[:5] / f"{execution}.sealed"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    ran = keeping.squall("output", "verify", execution)
    assert ran.status == 1 and b"damaged" in ran.out and b"block" in ran.err
    assert keeping.squall("output", "verify", "0" * 24).status == 2


def test_what_has_printed_nothing_is_fine(keeping: Server) -> None:
    execution = keeping.request("core.noop")
    keeping.ended(execution)
    ran = keeping.squall("output", "verify", execution)
    assert ran.status == 0 and b"there is no output" in ran.out


def test_the_command_shows_what_takes_space(keeping: Server) -> None:
    execution = keeping.shell("echo hi")
    keeping.ended(execution)
    sealed(keeping, execution)
    ran = keeping.squall("storage")
    assert ran.status == 0
    text = ran.out.decode()
    assert "database" in text and "core.local" in text and "seals.db" in text
    usage = keeping.get("/v1/storage")
    assert {share["name"] for share in usage["packs"]} >= {"core"}


def test_a_purge_removes_what_its_dry_run_says(keeping: Server) -> None:
    mine = keeping.shell("echo gone")
    keeping.ended(mine)
    sealed(keeping, mine)
    other = keeping.request("core.noop")
    keeping.ended(other)
    command = ("storage", "purge", "--older-than", "0s", "--action", "core.local", "--status", "succeeded")
    dry = keeping.squall(*command, "--dry-run")
    assert dry.status == 0 and b"would be removed" in dry.out
    done = keeping.squall(*command)
    assert done.status == 0 and done.out == dry.out.replace(b"would be removed", b"removed")
    for path in ("", "/output", "/output/verify"):
        assert keeping.call("GET", f"/v1/executions/{mine}{path}").status == 404
    assert keeping.call("GET", f"/v1/executions/{mine}/output?after=f-5000").status == 404
    assert keeping.get(f"/v1/executions/{other}")["id"] == other
    assert not list(keeping.data_dir.rglob(f"{mine}*"))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "older_than_days"),
        ({"older_than_days": -1}, "older_than_days"),
        ({"older_than_days": True}, "older_than_days"),
        ({"older_than_days": 1, "status": "running"}, "status"),
        ({"older_than_days": 1, "pack": 3}, "pack"),
        ({"older_than_days": 1, "cursor": "x"}, "cursor"),
        ({"older_than_days": 1, "limit": 0}, "limit"),
        ({"older_than_days": 1, "dry_run": "yes"}, "dry_run"),
    ],
)
def test_a_mistake_in_a_purge_names_the_field(keeping: Server, body: dict[str, Any], says: str) -> None:
    reply = keeping.call("POST", "/v1/storage/purge", body)
    assert reply.status == 400 and says in reply.json["faultstring"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--older-than"),
        (["--older-than", "soon"], "not a time"),
        (["--older-than", "1d", "--larger-than", "big"], "not a size"),
        (["--older-than", "1d", "--status", "running"], "running"),
    ],
)
def test_a_mistake_in_the_command_is_told(keeping: Server, words: list[str], says: str) -> None:
    ran = keeping.squall("storage", "purge", *words)
    assert ran.status == 2 and says.encode() in ran.err
