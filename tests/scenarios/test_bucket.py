"""Output in a bucket of a real S3 server: sealed, moved, read by ranges, verified, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.bucket import KEYS, Bucket, bucket_server
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving

from squall.adapters.blobs.s3 import S3Blobs
from squall.core.output import sealed
from squall.testing.waiting import until


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with bucket_server() as server:
        server.empty("output")
        yield server


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, packs: Path, bucket: Bucket) -> Iterator[Server]:
    env = {
        **QUICK,
        **KEYS,
        "SQUALL_STORAGE_SEAL_AFTER_SECONDS": "0.01",
        "SQUALL_STORAGE_JANITOR_SECONDS": "0.05",
        "SQUALL_STORAGE_BLOBS": "s3://output/squall",
        "SQUALL_STORAGE_BLOBS_ENDPOINT": bucket.url,
        "SQUALL_STORAGE_MOVE_AFTER_DAYS": "0",
    }
    with serving(tmp_path_factory.mktemp("moving"), packs, env=env) as server:
        yield server


def in_bucket(server: Server, execution: str) -> dict[str, Any]:
    """Waits until the output of an execution is in the bucket; what verifying it finds."""
    path = f"/v1/executions/{execution}/output/verify"
    found: dict[str, Any] = until(lambda: (got := server.get(path))["place"] == "blob" and got, "it has moved")
    return found


def test_output_moves_and_is_read_by_ranges(moving: Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with moving.puppet() as (execution, strings):
        with moving.output(execution, format="sse") as stream:
            strings.say(b"begun\n")
            position = next(event.id for event in stream.events() if event.name == OUTPUT)
        strings.say(b"".join(b"%d\n" % number for number in range(150_000)))
    moving.ended(execution)
    with moving.output(execution, format="raw") as stream:
        before = stream.rest()
    found = in_bucket(moving, execution)
    assert found["ok"] and found["digest"] == found["recorded_digest"]
    assert not list(moving.data_dir.joinpath("journals").rglob(f"{execution}.*"))
    blobs = S3Blobs("output", "squall", bucket.url, "")
    assert sealed.file_name(execution) in set(blobs.keys(""))

    with moving.output(execution, format="raw") as stream:
        assert stream.rest() == before
    # Every position is what it was, and so is every byte, line and match.
    with moving.output(execution, after=position, format="raw") as stream:
        assert stream.rest() == before.removeprefix(b"begun\n")
    path = f"/v1/executions/{execution}/output"
    part = moving.call("GET", f"{path}?format=raw", headers={"Range": "bytes=500000-500099"})
    assert (part.status, part.raw) == (206, before[500_000:500_100])
    assert moving.call("GET", f"{path}?from_line=140001&to_line=140002").raw == b"139999\n140000\n"
    assert moving.call("GET", f"{path}?grep=%5E1?4999.$&tail=2").raw == b"149998\n149999\n"
    hits = moving.get(f"{path}/search", pattern="99998$", count="true")
    assert hits["count"] == 1
    ran = moving.squall("storage")
    assert b"blob store" in ran.out

    removed = moving.squall("storage", "purge", "--older-than", "0s")
    assert removed.status == 0
    assert moving.call("GET", f"/v1/executions/{execution}/output").status == 404
    assert list(blobs.keys("")) == []


def test_a_bucket_that_is_away_is_told_and_holds_up_nobody(moving: Server, bucket: Bucket) -> None:
    execution = moving.shell("head -c 200000 /dev/urandom | od")
    moving.ended(execution)
    in_bucket(moving, execution)
    bucket.stop()
    reply = moving.call("GET", f"/v1/executions/{execution}/output/verify")
    assert reply.status == 503 and "s3://output" in reply.json["faultstring"]
    assert moving.squall("output", "verify", execution).status == 2
    other = moving.shell("echo still here")
    moving.ended(other)
    with moving.output(other, format="raw") as stream:
        assert stream.rest() == b"still here\n"
