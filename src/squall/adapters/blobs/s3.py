"""Objects in a bucket of Amazon S3 or of a server with the same protocol, through obstore (the extra `s3`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import S3Store

_REGION = "us-east-1"
_RETRIES = 3
_RETRY_FOR = timedelta(seconds=10)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.1), timedelta(seconds=2)


class S3Blobs:
    """`ports.Blobs` in `bucket`, below `prefix`. `endpoint` (a URL) and `region` may be empty.

    The credentials come from the environment, as for Amazon's own tools. Raises `ImportError` without obstore.
    """

    def __init__(self, bucket: str, prefix: str, endpoint: str, region: str) -> None:
        from obstore.store import S3Store

        options: dict[str, Any] = {}
        if endpoint:
            options = {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if region:
            options["region"] = region
        self._name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._store: S3Store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": _RETRY_FOR,
                "backoff": {"init_backoff": _FIRST_PAUSE, "max_backoff": _LONGEST_PAUSE, "base": 2},
            },
            **options,
        )

    @property
    def name(self) -> str:
        """The URL of the bucket and the prefix."""
        return self._name

    @contextmanager
    def _port_errors(self, key: str) -> Iterator[None]:
        """Converts errors of obstore in the block to those of the port."""
        from obstore.exceptions import BaseError, NotFoundError

        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(f"{self._name} has no {key}") from error
        except (BaseError, OSError) as error:
            # The first line is the message; the others are internals of the client.
            message = str(error).strip().partition("\n")[0]
            raise OSError(f"{self._name}: {message}") from error

    def put(self, key: str, path: Path) -> None:
        """Uploads the file, a large one in parts. The object exists only after the upload is complete."""
        import obstore

        with self._port_errors(key), open(path, "rb") as file:
            obstore.put(self._store, key, file)

    def read(self, key: str, at: int, length: int) -> bytes:
        """Returns `length` bytes of an object from offset `at` on, with one range request."""
        import obstore

        with self._port_errors(key):
            return bytes(obstore.get_range(self._store, key, start=at, length=length)) if length else b""

    def size(self, key: str) -> int:
        """Returns the length of an object in bytes."""
        import obstore

        with self._port_errors(key):
            return int(obstore.head(self._store, key)["size"])

    def delete(self, keys: Sequence[str]) -> None:
        """Deletes objects, many with one request."""
        import obstore

        if not keys:
            return
        try:
            with self._port_errors(keys[0]):
                obstore.delete(self._store, list(keys))
        except FileNotFoundError:
            # If one object is missing, some servers refuse the whole request. Then each object gets its own request.
            for key in keys:
                self._delete_one(key)

    def _delete_one(self, key: str) -> None:
        import obstore

        try:
            with self._port_errors(key):
                obstore.delete(self._store, key)
        except FileNotFoundError:
            return

    def keys(self, prefix: str) -> Iterator[str]:
        """Yields the keys that begin with `prefix`."""
        import obstore

        with self._port_errors(prefix):
            for page in obstore.list(self._store):
                yield from (str(entry["path"]) for entry in page if str(entry["path"]).startswith(prefix))
