"""The web page: the built files of `web/`, served to browsers at every address that is no endpoint of the API."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from squall.api.http.wire import Answer, Request

_TYPES = {
    ".html": "text/html; charset=UTF-8",
    ".js": "text/javascript; charset=UTF-8",
    ".css": "text/css; charset=UTF-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_DEFENCES = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_SMALL = 1024
_ENDPOINTS = ("/v1", "/api", "/stream", "/auth", "/healthz", "/readyz", "/metrics", "/openapi.json")


class WebFiles:
    """The files below `root`, held in memory. If `root` is None or empty, the answer says how to build the page."""

    def __init__(self, root: Path | None) -> None:
        self._files: dict[str, tuple[bytes, bytes | None, str, str]] = {}
        if root is not None and (root / "index.html").is_file():
            for path in sorted(root.rglob("*")):
                if path.is_file() and path.suffix in _TYPES:
                    self._add("/" + path.relative_to(root).as_posix(), path.read_bytes(), path.suffix)

    def _add(self, name: str, data: bytes, suffix: str) -> None:
        packed = gzip.compress(data, 9, mtime=0) if len(data) > _SMALL else None
        self._files[name] = (data, packed, _TYPES[suffix], hashlib.sha256(data).hexdigest()[:32])

    def holds(self, path: str) -> bool:
        """Returns True if one of the files is served at the path."""
        return path in self._files and path != "/index.html"

    def answer(self, request: Request, path: str) -> Answer | None:
        """Returns the requested file, or the page itself if a browser opens an address of the page.

        Returns None for all other requests: the API answers them.
        """
        if request.scope["method"] not in ("GET", "HEAD"):
            return None
        if self.holds(path):
            return self._file(request, path, _FOR_EVER if path.startswith("/assets/") else "no-cache")
        navigates = "text/html" in (request.header("accept") or "")
        if not navigates or any(path == each or path.startswith(each + "/") for each in _ENDPOINTS):
            return None
        if not self._files:
            message = (
                "The web page is not built: run `make web` in Squall's checkout (it needs node). The API is at /v1.\n"
            )
            return Answer(raw=message.encode(), content_type="text/plain; charset=UTF-8", headers=_DEFENCES)
        return self._file(request, "/index.html", "no-cache")

    def _file(self, request: Request, name: str, caching: str) -> Answer:
        data, packed, kind, digest = self._files[name]
        headers = {**_DEFENCES, "Cache-Control": caching, "ETag": f'"{digest}"', "Vary": "Accept-Encoding, Accept"}
        if f'"{digest}"' in (request.header("if-none-match") or ""):
            return Answer(raw=b"", status=304, headers=headers, content_type=kind)
        if packed is not None and "gzip" in (request.header("accept-encoding") or ""):
            return Answer(raw=packed, headers={**headers, "Content-Encoding": "gzip"}, content_type=kind)
        return Answer(raw=data, headers=headers, content_type=kind)
