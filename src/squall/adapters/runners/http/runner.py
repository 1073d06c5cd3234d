"""The runner `http-request`: one HTTP request, whose response is output while it arrives.

Parameters and the result's shape are StackStorm's.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from squall import __version__
from squall.adapters.runners.forked import OwnProgram
from squall.core.errors import InvalidError
from squall.core.execution.execution import CANCELED, FAILED, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.core.schema.literals import LONGEST_LITERAL
from squall.ports import OutputText

_PROGRAM = "squall.adapters.runners.http.program"
_SPARE = 20.0
_SUCCESS_CODES = range(200, 207)
_DEFAULT_TIMEOUT = 60.0
_LATIN_1_MOST = 0xFF


class HttpRunner:
    """`ports.Runner` for HTTP requests. `limit` is the largest accepted response, in bytes. The program's fork server
    ends after `fork_idle` seconds without a request; 0 means no fork server."""

    def __init__(self, base: Mapping[str, str], limit: int, fork_idle: float = 0) -> None:
        self._limit = limit
        self._program = OwnProgram(_PROGRAM, dict(base), fork_idle)

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the program to start, with the request on its standard input. Raises `InvalidError`."""
        parameters, values = job.runner_parameters, job.action_parameters
        denied, allowed = _hosts(parameters.get("url_hosts_blacklist")), _hosts(parameters.get("url_hosts_whitelist"))
        if denied and allowed:
            raise InvalidError(
                '"url_hosts_blacklist" and "url_hosts_whitelist" parameters are mutually exclusive. '
                "Only one should be provided."
            )
        url = _url(parameters.get("url"))
        action_headers = {**(parameters.get("headers") or {}), **(values.get("headers") or {})}
        own_headers = {
            "User-Agent": f"squall/{__version__}",
            "X-Stanley-Action": job.action.name.encode("ascii", "replace").decode(),
            **_auth(values.get("auth")),
        }
        headers = _headers(action_headers, own_headers)
        file = _file(values)
        body = _body(values.get("body"), headers)
        timeout = float(values.get("timeout") or parameters.get("timeout") or _DEFAULT_TIMEOUT)
        request = {
            "url": url,
            "method": str(values.get("method") or ("POST" if body is not None or file else "GET")),
            "headers": headers,
            "omitted": [str(name).lower() for name, value in action_headers.items() if value is None],
            "query": _query(values.get("params")),
            "cookies": _in_latin_1("cookies", _pairs(parameters.get("cookies"))),
            "body": body,
            "file": file,
            "allow_redirects": bool(parameters.get("allow_redirects")),
            "http_proxy": parameters.get("http_proxy"),
            "https_proxy": parameters.get("https_proxy"),
            "username": parameters.get("username"),
            "password": parameters.get("password") or "",
            "verify": parameters.get("verify_ssl_cert") is not False,
            "denied": denied,
            "allowed": allowed,
            "timeout": timeout,
            "limit": self._limit,
        }
        return self._program.launch(job, request, timeout=timeout + _SPARE, result_limit=self._limit * 2 + (1 << 20))

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns StackStorm's result. If the response is incomplete, the result holds the received part and an
        `error`."""
        result = _result(end)
        if result is None:
            status = CANCELED if end.canceled else TIMEOUT if end.timed_out else FAILED
            error = end.error or output("stderr")[0].strip() or "The program that speaks HTTP ended early"
            return Outcome(status, {"error": error, "traceback": ""})
        late = result.pop("late", False)
        if end.canceled:
            return Outcome(CANCELED, result)
        if late:
            return Outcome(TIMEOUT, result)
        if end.stopped:
            result["error"] = "Action was stopped because it printed more than the output limit"
        succeeded = "error" not in result and result["status_code"] in _SUCCESS_CODES
        return Outcome(SUCCEEDED if succeeded else FAILED, result)


def _result(end: End) -> dict[str, Any] | None:
    if end.result_file is None or end.result_cut:
        return None
    try:
        result = json.loads(Path(end.result_file).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) and result else None


def _url(address: Any) -> str:
    """Returns the address with a scheme. Raises `InvalidError` if it is empty."""
    url = str(address or "").strip()
    if not url:
        raise InvalidError('Parameter "url" is empty. Set it to an address such as https://example.org/.')
    return url if url.lower().startswith(("http://", "https://")) else f"http://{url}"


def _pairs(value: Any) -> list[tuple[str, str]]:
    """Returns names with values, from an object or a list of pairs. A value that is a list gives one pair for each
    item. Leaves out null values."""
    items = value.items() if isinstance(value, Mapping) else [pair for pair in value or [] if len(pair) == 2]
    return [
        (str(name), _plain(item))
        for name, entry in items
        for item in (entry if isinstance(entry, list | tuple) else [entry])
        if item is not None
    ]


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _query(params: Any) -> str:
    """Returns the query text of `params`. A text stays as it is, without its `?`."""
    return params.removeprefix("?") if isinstance(params, str) else urlencode(_pairs(params))


def _headers(action_headers: Mapping[str, Any], own: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the action's headers, then our `own`, which replace headers of the same name. Raises `InvalidError`."""
    own_names = {name.lower() for name in own}
    pairs = [pair for pair in _pairs(action_headers) if pair[0].lower() not in own_names]
    return _in_latin_1("headers", pairs + list(own.items()))


def _in_latin_1(parameter: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the same pairs. Raises `InvalidError` for a name or a value that an HTTP header cannot hold."""
    for name, value in pairs:
        if not name.isascii() or not name:
            raise InvalidError(f'Parameter "{parameter}": the name {name!r} cannot be sent; write it in ASCII letters.')
        if any(ord(letter) > _LATIN_1_MOST for letter in value):
            raise InvalidError(
                f'Parameter "{parameter}": the value of "{name}" cannot be sent; it may have Latin-1 characters only.'
            )
    return pairs


def _hosts(names: Any) -> list[str]:
    """Returns the hosts in the form that the program compares: in lower case, without the dot of the root."""
    return [str(host).strip().lower().rstrip(".") for host in names or []]


def _auth(auth: Any) -> dict[str, str]:
    """Returns the header of `auth`, which is written `name=value`. Raises `InvalidError` for another form."""
    if not auth:
        return {}
    name, separator, value = str(auth).partition("=")
    if not separator or not name.strip():
        raise InvalidError(
            'Parameter "auth": write it like x-auth-token=XYZ; for HTTP Basic use username and password.'
        )
    return {name.strip(): value.strip()}


def _file(values: Mapping[str, Any]) -> dict[str, str] | None:
    """Returns the file to upload, with its content or its path; None if the action uploads no file."""
    name, content, path = values.get("file_name"), values.get("file_content"), values.get("file_path")
    if not content and not path:
        return None
    return {
        "name": str(name or Path(str(path or "file")).name),
        "content": "" if path else str(content),
        "path": str(path or ""),
        "type": str(values.get("file_content_type") or ""),
    }


def _body(body: Any, headers: list[tuple[str, str]]) -> str | None:
    """Returns the body to send; None if there is none. If the content type is JSON, a text that is a Python literal
    becomes JSON."""
    if body is None or body == "":
        return None
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    if kind == "application/json" and isinstance(body, str):
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            if len(body) > LONGEST_LITERAL:
                return body
            try:
                return json.dumps(ast.literal_eval(body))
            except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
                return body
        return body
    return body if isinstance(body, str) else json.dumps(body)
