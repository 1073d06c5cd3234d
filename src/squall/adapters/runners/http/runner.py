"""The runner `http-request`: one HTTP request, whose answer is shown as it comes.

Parameters and the result's shape are StackStorm's.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from squall import __version__
from squall.adapters.runners.forked import fork_server
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_PROGRAM = "squall.adapters.runners.http.program"
_SPARE = 20.0
_FINE = range(200, 207)
_DEFAULT_TIMEOUT = 60.0
_LATIN_1_MOST = 0xFF


class HttpRunner:
    """`ports.Runner` for HTTP requests. `limit` is the largest answer that is taken, in bytes; `fork_idle` how long
    (seconds) the program's fork server waits for the next one; 0: there is none."""

    def __init__(self, base: Mapping[str, str], limit: int, fork_idle: float = 0) -> None:
        self._base = dict(base)
        self._limit = limit
        self._fork_server = fork_server(_PROGRAM, fork_idle)

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """The program to start, with the request on its standard input. Raises `InvalidError`."""
        given, more = job.runner_parameters, job.action_parameters
        denied, allowed = _hosts(given.get("url_hosts_blacklist")), _hosts(given.get("url_hosts_whitelist"))
        if denied and allowed:
            raise InvalidError(
                '"url_hosts_blacklist" and "url_hosts_whitelist" parameters are mutually exclusive. '
                "Only one should be provided."
            )
        url = _url(given.get("url"))
        named = {**(given.get("headers") or {}), **(more.get("headers") or {})}
        own = {
            "User-Agent": f"squall/{__version__}",
            "X-Stanley-Action": job.action.name.encode("ascii", "replace").decode(),
            **_auth(more.get("auth")),
        }
        headers = _headers(named, own)
        file = _file(more)
        body = _body(more.get("body"), headers)
        timeout = float(more.get("timeout") or given.get("timeout") or _DEFAULT_TIMEOUT)
        asked = {
            "url": url,
            "method": str(more.get("method") or ("POST" if body is not None or file else "GET")),
            "headers": headers,
            "omitted": [str(name).lower() for name, value in named.items() if value is None],
            "query": _query(more.get("params")),
            "cookies": _in_latin_1("cookies", _pairs(given.get("cookies"))),
            "body": body,
            "file": file,
            "allow_redirects": bool(given.get("allow_redirects")),
            "http_proxy": given.get("http_proxy"),
            "https_proxy": given.get("https_proxy"),
            "username": given.get("username"),
            "password": given.get("password") or "",
            "verify": given.get("verify_ssl_cert") is not False,
            "denied": denied,
            "allowed": allowed,
            "timeout": timeout,
            "limit": self._limit,
        }
        return LaunchSpec(
            execution=job.execution.id,
            tree=job.execution.tree,
            attempt=job.execution.attempt,
            argv=[sys.executable, "-P", "-m", _PROGRAM],
            env=self._base,
            stdin=json.dumps(asked).encode(),
            # The program keeps the time itself; this is for a program that does not.
            timeout=timeout + _SPARE,
            result_limit=self._limit * 2 + (1 << 20),
            fork_server=self._fork_server,
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """StackStorm's result; with an `error`, beside what was received, when the answer is not whole."""
        result = _result(end)
        if result is None:
            status = CANCELED if end.canceled else TIMEOUT if end.timed_out else FAILED
            said = end.error or output("stderr")[0].strip() or "The program that speaks HTTP ended early"
            return Outcome(status, {"error": said, "traceback": ""})
        late = result.pop("late", False)
        if end.canceled:
            return Outcome(CANCELED, result)
        if late:
            return Outcome(TIMEOUT, result)
        if end.stopped:
            result["error"] = "Action was stopped because it printed more than the output limit"
        fine = "error" not in result and result["status_code"] in _FINE
        return Outcome(SUCCEEDED if fine else FAILED, result)


def _result(end: End) -> dict[str, Any] | None:
    if end.result_file is None or end.result_cut:
        return None
    try:
        found = json.loads(Path(end.result_file).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found else None


def _url(given: Any) -> str:
    """The address, with a scheme. Raises `InvalidError`."""
    url = str(given or "").strip()
    if not url:
        raise InvalidError('Parameter "url" is empty; give an address such as https://example.org/.')
    return url if url.lower().startswith(("http://", "https://")) else f"http://{url}"


def _pairs(given: Any) -> list[tuple[str, str]]:
    """Names with values, from an object or a list of pairs. A list gives its name once for each item; null is left
    out."""
    items = given.items() if isinstance(given, Mapping) else [pair for pair in given or [] if len(pair) == 2]
    return [
        (str(name), _plain(item))
        for name, value in items
        for item in (value if isinstance(value, list | tuple) else [value])
        if item is not None
    ]


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _query(given: Any) -> str:
    """What `params` adds to the query of the address; text is added as it is."""
    return given.removeprefix("?") if isinstance(given, str) else urlencode(_pairs(given))


def _headers(named: Mapping[str, Any], own: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that the action names, then our `own`, which replace others of the same name. Raises
    `InvalidError`."""
    taken = {name.lower() for name in own}
    return _in_latin_1("headers", [pair for pair in _pairs(named) if pair[0].lower() not in taken] + list(own.items()))


def _in_latin_1(parameter: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same pairs. Raises `InvalidError` for a name or a value that a header of HTTP cannot hold."""
    for name, value in pairs:
        if not name.isascii() or not name:
            raise InvalidError(f'Parameter "{parameter}": the name {name!r} cannot be sent; write it in ASCII letters.')
        if any(ord(letter) > _LATIN_1_MOST for letter in value):
            raise InvalidError(
                f'Parameter "{parameter}": the value of "{name}" cannot be sent; it may have Latin-1 characters only.'
            )
    return pairs


def _hosts(given: Any) -> list[str]:
    """The hosts as the program compares them: in lower case, without the dot of the root."""
    return [str(host).strip().lower().rstrip(".") for host in given or []]


def _auth(given: Any) -> dict[str, str]:
    """The header that `auth` asks for: `name=value`. Raises `InvalidError`."""
    if not given:
        return {}
    name, mark, value = str(given).partition("=")
    if not mark or not name.strip():
        raise InvalidError(
            'Parameter "auth": write it like x-auth-token=XYZ; for HTTP Basic use username and password.'
        )
    return {name.strip(): value.strip()}


def _file(more: Mapping[str, Any]) -> dict[str, str] | None:
    """The file to upload: its content, or the path that it is read from."""
    name, content, path = more.get("file_name"), more.get("file_content"), more.get("file_path")
    if not content and not path:
        return None
    return {
        "name": str(name or Path(str(path or "file")).name),
        "content": "" if path else str(content),
        "path": str(path or ""),
        "type": str(more.get("file_content_type") or ""),
    }


def _body(given: Any, headers: list[tuple[str, str]]) -> str | None:
    """The body as it is sent. Where JSON is announced, text of a value in Python's form becomes JSON."""
    if given is None or given == "":
        return None
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    if kind == "application/json" and isinstance(given, str):
        try:
            json.loads(given)
        except ValueError:
            try:
                return json.dumps(ast.literal_eval(given))
            except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
                return given
        return given
    return given if isinstance(given, str) else json.dumps(given)
