"""The checks of requests to a server without authentication: they refuse pages of other sites in local browsers.

Any page in a local browser can reach a server that listens on loopback (from a foreign `Origin`, or through a name
that resolves to 127.0.0.1). So can every user of the machine.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from squall.api.http.routes import ANY_BODY, TEXT, Route
from squall.api.http.wire import Request
from squall.core.errors import ForbiddenError, UnsupportedMediaError

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?", re.ASCII)


def is_loopback(host: str) -> bool:
    """Returns True if a host name or address can only mean this machine."""
    name = host.strip().rstrip(".").lower().removeprefix("[").removesuffix("]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host_of(value: str) -> str:
    """Returns the host of a Host header, without its port; "" if the header is not a host with or without a port."""
    match = _HOST.fullmatch(value)
    return match[1] if match is not None else ""


def netloc(origin: str) -> str:
    """Returns host and port of an `Origin` header in lower case; "" for a text that is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def check_browser(request: Request) -> None:
    """Refuses requests that only a foreign page would send. Raises `ForbiddenError`."""
    hosts = [str(value, "latin-1") for name, value in request.scope["headers"] if name == b"host"]
    if len(hosts) != 1 or not is_loopback(_host_of(hosts[0])):
        raise ForbiddenError(
            "Host: this server answers only to localhost or a loopback address, as it runs without authentication."
        )
    origin = request.header("origin")
    if origin is not None and netloc(origin) != hosts[0].lower():
        raise ForbiddenError(f"Origin: pages of {origin!r} may not use this server.")


def check_content_type(request: Request, route: Route) -> None:
    """Checks that a body is JSON, because a form of a foreign page cannot send JSON. Raises `UnsupportedMediaError`.

    DELETE and routes that take plain text are exempt: StackStorm's clients send them with another type or none. So are
    webhooks, because senders choose their type: a form of a foreign page has an `Origin` or lacks the credential.
    """
    if route.method not in ("POST", "PUT") or route.body in (TEXT, ANY_BODY):
        return
    empty = request.header("content-length") in (None, "0") and request.header("transfer-encoding") is None
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if not empty and kind != "application/json":
        raise UnsupportedMediaError(f"Content-Type: a body must be application/json, not {kind or 'without a type'!r}.")
