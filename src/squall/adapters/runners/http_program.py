"""The program of an HTTP action: `python -m squall.adapters.runners.http_program`, with the job as JSON on stdin.

The answer's body goes to stdout as it comes, if it is text; the result is written at the end, also of an answer that
was cut off. It runs under the keeper, so it lives on when the server does not.
"""

from __future__ import annotations

import asyncio
import functools
import json
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

_HOPS = 20
_TEXTS = ("json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "csv", "x-ndjson")


@functools.cache
def trusted() -> ssl.SSLContext:
    """The certificates of this machine; reading them takes longer than most requests, so a fork server has done it."""
    return httpx2.create_ssl_context()


class RefusedError(Exception):
    """The request, or where it was led to, is not allowed."""


class Exchange:
    """One request and what came back of it so far."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._body = bytearray()
        self._response: httpx2.Response | None = None

    async def run(self) -> None:
        """Sends it, follows redirects if asked for, and takes in the whole answer. Raises `httpx2.HTTPError`,
        `RefusedError`, `TimeoutError`."""
        job = self._job
        async with asyncio.timeout(job["timeout"]), self._client() as client:
            url = httpx2.URL(job["url"]).copy_merge_params(job["params"])
            request = client.build_request(job["method"], url, **self._content())
            for _ in range(_HOPS):
                self._check(request.url.host)
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
            headers=job["headers"],
            cookies=job["cookies"],
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

    def _check(self, host: str) -> None:
        """Raises `RefusedError` for a host that is not allowed; redirects are checked as well."""
        denied, allowed = self._job["denied"], self._job["allowed"]
        if host in denied or (allowed and host not in allowed):
            raise RefusedError(f'URL "{host}" is {"blacklisted" if host in denied else "not in the whitelist"}')

    async def _take(self, response: httpx2.Response) -> None:
        show = is_text(response.headers.get("content-type", ""))
        # Without a size each piece comes as it was received.
        async for piece in response.aiter_bytes():
            room = self._job["limit"] - len(self._body)
            self._body += piece[:room]
            if show:
                _print(piece[:room])
            if len(piece) > room:
                await response.aclose()
                raise RefusedError(f"The answer is larger than {self._job['limit']} bytes")

    def result(self) -> dict[str, Any]:
        """StackStorm's result of what came; empty when nothing did."""
        response = self._response
        if response is None:
            return {}
        text = self._body.decode(response.charset_encoding or "utf-8", "replace")
        body, parsed = text, False
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            try:
                body, parsed = json.loads(text), True
            except ValueError:
                pass
        headers = {"-".join(word.capitalize() for word in name.split("-")): response.headers[name]
                   for name in response.headers}  # fmt: skip
        return {"status_code": response.status_code, "body": body, "parsed": parsed, "headers": headers}


def is_text(content_type: str) -> bool:
    """Whether people can read a body of this type."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or any(kind.endswith(word) for word in _TEXTS)


def _print(data: bytes) -> None:
    # Blocking, on purpose: while the keeper takes no more, no more is to be received.
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]


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
        said = f"{_place(job['url'])}: {_why(error)}"
        return {**exchange.result(), "error": said, "traceback": traceback.format_exc(limit=-3)}
    return exchange.result()


def _place(url: str) -> str:
    """A URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _why(error: BaseException) -> str:
    """What went wrong, with the cause that lies deepest."""
    deepest = error
    while (below := deepest.__cause__ or deepest.__context__) is not None:
        deepest = below
    said = str(error) or type(error).__name__
    cause = str(deepest)
    return said if not cause or cause in said else f"{said} ({cause})"


def main(data: bytes) -> int:
    """Runs the job in `data`; 0 when its result has been written, whatever came of the request."""
    job = json.loads(data)
    result = asyncio.run(_main(job))
    with os.fdopen(int(os.environ[RESULT_FD]), "wb") as stream:
        stream.write(json.dumps(result).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
