"""Opens the blob store of a setting at its first use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from squall.adapters.blobs.directory import DirectoryBlobs
from squall.core.errors import ConfigError
from squall.ports import Blobs


class BlobPlace:
    """A blob store by its name: empty (no blob store), an absolute directory, or `s3://bucket/prefix`.

    `words` are the arguments that create the same place in another process.

    Raises `ConfigError` if the name has another form, or if a package is missing.
    """

    def __init__(self, name: str, endpoint: str = "", region: str = "") -> None:
        self.words = (name, endpoint, region)
        self._name = name
        self._endpoint = endpoint
        self._region = region
        self._lock = Lock()
        self._blobs: Blobs | None = None
        self._parts = urlsplit(name)
        if self._parts.scheme == "s3":
            self._check_s3()
        elif name and not Path(name).is_absolute():
            raise ConfigError(f"storage.blobs must be an absolute directory or s3://bucket/prefix, not {name!r}")
        elif endpoint and not name:
            raise ConfigError("storage.blobs_endpoint is set, but storage.blobs is not: set it to s3://bucket/prefix")

    @classmethod
    def below(cls, home: Path, name: str, endpoint: str, region: str) -> BlobPlace:
        """Returns the place of a setting. A relative directory starts at `home`."""
        if name and "://" not in name:
            name = str(home / Path(name).expanduser())
        return cls(name, endpoint, region)

    def _check_s3(self) -> None:
        if not self._parts.netloc or self._parts.query or self._parts.fragment:
            raise ConfigError(f"storage.blobs must be s3://bucket/prefix, not {self._name!r}")
        if self._endpoint and urlsplit(self._endpoint).scheme not in ("http", "https"):
            raise ConfigError(f"storage.blobs_endpoint must be a URL like https://host:9000, not {self._endpoint!r}")
        if find_spec("obstore") is None:
            raise ConfigError("storage.blobs is an S3 bucket, which needs the extra s3: pip install 'squall[s3]'")

    @property
    def given(self) -> bool:
        """True if a blob store is configured."""
        return bool(self._name)

    def __call__(self) -> Blobs | None:
        """Returns the blob store; None if none is configured. The first call opens it."""
        with self._lock:
            if self._blobs is None and self._name:
                self._blobs = self._open()
            return self._blobs

    def _open(self) -> Blobs:
        if self._parts.scheme != "s3":
            return DirectoryBlobs(Path(self._name))
        from squall.adapters.blobs.s3 import S3Blobs

        return S3Blobs(self._parts.netloc, self._parts.path.strip("/"), self._endpoint, self._region)
