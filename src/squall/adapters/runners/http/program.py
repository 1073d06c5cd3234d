"""The program of an HTTP action: `python -m squall.adapters.runners.http.program`, with the job as JSON on stdin.

It writes the response's body to stdout while it arrives, if the body is text. It writes the result at the end, even if
the response was cut off. The keeper runs it, so it survives an end of the server.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import functools
import json
import math
import os
import signal
import ssl
import sys
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from squall.core.output.tagged import RESULT_FD
from squall.core.schema.literals import check_nesting

_HOPS = 20
_NEEDED = {"host", "content-length", "transfer-encoding"}
_TEXTS = ("json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "csv", "x-ndjson")


@functools.cache
def trusted() -> ssl.SSLContext:
    """Returns the trusted certificates of this machine. A fork server reads them once, because that takes longer than
    most requests."""
    return httpx2.create_ssl_context()


class RefusedError(Exception):
    """The request, its redirect, or the size of its response is not allowed."""


class Exchange:
    """One request, and the received part of its response."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._body = bytearray()
        self._response: httpx2.Response | None = None
        self._complete = False

    async def run(self) -> None:
        """Sends the request, follows redirects if the action allows them, and receives the whole response. Raises
        `httpx2.HTTPError`, `RefusedError`, `TimeoutError`."""
        job = self._job
        async with asyncio.timeout(job["timeout"]), self._client() as client:
            request = client.build_request(job["method"], address(job["url"], job["query"]), **self._content())
            for _ in range(_HOPS):
                self._check(request.url)
                self._finish_headers(request)
                response = await client.send(request, stream=True, auth=self._auth())
                self._response, self._body = response, bytearray()
                if not job["allow_redirects"] or response.next_request is None:
                    break
                await response.aclose()
                request = response.next_request
            else:
                raise httpx2.TooManyRedirects(f"Exceeded {_HOPS} redirects, the last to {request.url}")
            await self._take(response)

    def _client(self) -> httpx2.AsyncClient:
        job = self._job
        mounts = {
            f"{scheme}://": httpx2.AsyncHTTPTransport(proxy=job[f"{scheme}_proxy"], verify=job["verify"])
            for scheme in ("http", "https")
            if job[f"{scheme}_proxy"]
        }
        return httpx2.AsyncClient(
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in job["headers"]],
            cookies=dict(job["cookies"]),
            verify=trusted() if job["verify"] else False,
            mounts=mounts,
            timeout=httpx2.Timeout(job["timeout"]),
            follow_redirects=False,
        )

    def _auth(self) -> httpx2.BasicAuth | None:
        job = self._job
        return httpx2.BasicAuth(job["username"], job["password"]) if job["username"] else None

    def _content(self) -> dict[str, Any]:
        job = self._job
        content: dict[str, Any] = {}
        file = job["file"]
        if file is not None:
            raw = Path(file["path"]).read_bytes() if file["path"] else file["content"].encode()
            kind = (file["type"],) if file["type"] else ()
            content["files"] = {file["name"]: (file["name"], raw, *kind)}
            if job["body"]:
                content["data"] = json.loads(job["body"])
        elif job["body"] is not None:
            content["content"] = job["body"].encode()
        return content

    def _finish_headers(self, request: httpx2.Request) -> None:
        """Removes the headers that are null in the action. Writes cookies in Latin-1, repeated ones too."""
        for name in self._job["omitted"]:
            if name not in _NEEDED and name in request.headers:
                del request.headers[name]
        cookies = self._job["cookies"]
        last = {name: at for at, (name, _) in enumerate(cookies)}
        repeated = "".join(f"; {name}={value}" for at, (name, value) in enumerate(cookies) if last[name] != at)
        # The library writes each cookie name once, and most values in UTF-8.
        request.headers = httpx2.Headers(
            [
                (name, (decoded(value, None, whole=True) + repeated).encode("latin-1", "replace"))
                if name == b"Cookie"
                else (name, value)
                for name, value in request.headers.raw
            ]
        )

    def _check(self, url: httpx2.URL) -> None:
        """Raises `RefusedError` if the host is not allowed. `run` also checks redirects."""
        denied, allowed = self._job["denied"], self._job["allowed"]
        names = {url.host.rstrip("."), url.raw_host.decode().rstrip(".")}
        denied_names = names.intersection(denied)
        if denied_names or (allowed and not names.intersection(allowed)):
            raise RefusedError(f'URL "{url.host}" is {"blacklisted" if denied_names else "not in the whitelist"}')

    async def _take(self, response: httpx2.Response) -> None:
        show = is_text(response.headers.get("content-type", ""))
        text = Text(response.charset_encoding)
        # Without a size argument, the iterator yields each piece as it arrives.
        async for piece in response.aiter_bytes():
            room = self._job["limit"] - len(self._body)
            self._body += piece[:room]
            if show:
                _print(text.feed(piece[:room]))
            if len(piece) > room:
                await response.aclose()
                raise RefusedError(f"The response is larger than {self._job['limit']} bytes")
        self._complete = True
        if show:
            _print(text.feed(b"", final=True))

    def result(self) -> dict[str, Any]:
        """Returns StackStorm's result of the received response; empty if there was none."""
        response = self._response
        if response is None:
            return {}
        text = decoded(bytes(self._body), response.charset_encoding, whole=self._complete)
        body, parsed = text, False
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(text, parse_constant=_refused, parse_float=_finite)
                # The server reads the value within a result, deeper in its own calls. `LiteralError` is a `ValueError`.
                check_nesting(value)
                body, parsed = value, True
        headers = {"-".join(word.capitalize() for word in name.split("-")): response.headers[name]
                   for name in response.headers}  # fmt: skip
        return {"status_code": response.status_code, "body": body, "parsed": parsed, "headers": headers}


class Text:
    """A decoder of a body, piece by piece. Without a valid `charset`, it decodes UTF-8, and invalid bytes as
    Latin-1."""

    def __init__(self, charset: str | None) -> None:
        self._decoder = codecs.getincrementaldecoder(charset)("replace") if charset and is_charset(charset) else None
        self._rest = b""

    def feed(self, data: bytes, final: bool = False) -> str:
        """Decodes the next bytes. Returns the text up to the last whole character; with `final`, all of it."""
        if self._decoder is not None:
            return self._decoder.decode(data, final)
        text, rest = "", self._rest + data
        while rest:
            try:
                part, count = codecs.utf_8_decode(rest, "strict", final)
            except UnicodeDecodeError as error:
                text += rest[: error.start].decode() + rest[error.start : error.end].decode("latin-1")
                rest = rest[error.end :]
                continue
            text, rest = text + part, rest[count:]
            break
        self._rest = rest
        return text


def decoded(body: bytes, charset: str | None, *, whole: bool) -> str:
    """Returns the text of a body. Without a valid `charset`, the body is UTF-8, or Latin-1 if it is not valid UTF-8. A
    body that is not `whole` may end within a character."""
    if charset and is_charset(charset):
        return body.decode(charset, "replace").encode("utf-8", "replace").decode()
    try:
        codecs.utf_8_decode(body, "strict", whole)
    except UnicodeDecodeError:
        return body.decode("latin-1")
    return body.decode("utf-8", "replace")


def _refused(constant: str) -> Any:
    """Raises `ValueError`: `NaN` and `Infinity` are no JSON, so neither is the text around them."""
    raise ValueError(f"{constant} is no number in JSON")


def _finite(text: str) -> float:
    """The number in a text of JSON. Raises `ValueError` for one that is too large, such as 1e999."""
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def is_charset(name: str) -> bool:
    """Returns True if Python can decode text from this encoding."""
    try:
        b"x".decode(name, "replace")
        codecs.getincrementaldecoder(name)("replace").decode(b"x", True)
    except (LookupError, ValueError):
        return False
    return True


def address(url: str, query: str) -> httpx2.URL:
    """Returns `url` with `query` appended to its query. Raises `httpx2.InvalidURL`."""
    parsed = httpx2.URL(url)
    if not query:
        return parsed
    return parsed.copy_with(query=b"&".join(part for part in (parsed.query, query.encode()) if part))


def is_text(content_type: str) -> bool:
    """Returns True if a body of this type is text."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or any(kind.endswith(word) for word in _TEXTS)


def _print(text: str) -> None:
    # Some charsets decode to lone surrogates, which UTF-8 cannot encode.
    data = text.encode("utf-8", "replace")
    # The write blocks on purpose: while the keeper does not read, the program must not receive.
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


async def _main(job: dict[str, Any]) -> dict[str, Any]:
    exchange = Exchange(job)
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    loop.add_signal_handler(signal.SIGTERM, task.cancel if task is not None else loop.stop)
    try:
        await exchange.run()
    except asyncio.CancelledError:
        return {**exchange.result(), "error": "The action was canceled"}
    except (TimeoutError, httpx2.TimeoutException):
        error = f"HTTP request failed: no complete answer from {_place(job['url'])} in {job['timeout']:g} seconds"
        return {**exchange.result(), "error": error, "late": True}
    except (httpx2.HTTPError, httpx2.InvalidURL, RefusedError, OSError, ValueError) as error:
        message = f"{_place(job['url'])}: {_reason(error)}"
        return {**exchange.result(), "error": message, "traceback": traceback.format_exc(limit=-3)}
    return exchange.result()


def _place(url: str) -> str:
    """Returns a URL without its user, password, query and fragment, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _reason(error: BaseException) -> str:
    """Returns the error's message with that of its deepest cause."""
    deepest = error
    while (below := deepest.__cause__ or deepest.__context__) is not None:
        deepest = below
    message = str(error) or type(error).__name__
    cause = str(deepest)
    return message if not cause or cause in message else f"{message} ({cause})"


def main(data: bytes) -> int:
    """Runs the job in `data`. Returns 0 when its result has been written, even if the request failed."""
    job = json.loads(data)
    result = asyncio.run(_main(job))
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as stream:
        stream.write(json.dumps(result).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
