"""The stores of large objects, under their contract: a directory, and a bucket of a real S3 server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.bucket import KEYS, Bucket, bucket_server

from squall.adapters.blobs.directory import DirectoryBlobs
from squall.adapters.blobs.opening import BlobPlace
from squall.core.errors import ConfigError
from squall.ports import Blobs
from squall.testing.blobs import BlobsContract

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with bucket_server() as server:
        yield server


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


class TestDirectoryBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return DirectoryBlobs(tmp_path / "blobs")

    def test_empty_folders_are_not_left(self, blobs: Blobs, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"x")
        blobs.put("65000/a", tmp_path / "x")
        blobs.delete(["65000/a"])
        assert list((tmp_path / "blobs").iterdir()) == []


@pytest.mark.usefixtures("keys")
class TestS3Blobs(BlobsContract):
    @pytest.fixture(params=["", "some/prefix"])
    def blobs(self, bucket: Bucket, request: pytest.FixtureRequest) -> Blobs:
        name = bucket.empty(f"kept-{next(_NUMBERS)}")
        found = BlobPlace(f"s3://{name}/{request.param}", bucket.url)()
        assert found is not None
        return found

    def test_a_server_that_is_not_there_is_told_in_one_line(self) -> None:
        found = BlobPlace("s3://kept/x", "http://127.0.0.1:9")()
        assert found is not None
        with pytest.raises(OSError, match="s3://kept/x") as caught:
            found.read("65000/a", 0, 1)
        assert "\n" not in str(caught.value)

    def test_a_bucket_that_is_not_there_is_told(self, bucket: Bucket, tmp_path: Path) -> None:
        found = BlobPlace("s3://no-such-bucket", bucket.url)()
        assert found is not None
        (tmp_path / "x").write_bytes(b"x")
        with pytest.raises(OSError, match="s3://no-such-bucket"):
            found.put("65000/a", tmp_path / "x")


def test_no_name_is_no_store() -> None:
    place = BlobPlace("")
    assert place() is None
    assert not place.given


@pytest.mark.parametrize(
    ("name", "endpoint", "says"),
    [
        ("blobs", "", "absolute directory"),
        ("gs://bucket", "", "s3://bucket/prefix"),
        ("s3://", "", "s3://bucket/prefix"),
        ("s3://bucket", "localhost:9000", "blobs_endpoint"),
        ("", "http://127.0.0.1:1", "storage.blobs is not"),
    ],
)
def test_a_name_that_means_nothing_is_refused(name: str, endpoint: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        BlobPlace(name, endpoint)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("squall.adapters.blobs.opening.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"squall\[s3\]"):
        BlobPlace("s3://bucket")
