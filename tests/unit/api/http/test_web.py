"""The files of the web page."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from squall.api.http.web import WebFiles
from squall.api.http.wire import Request

BROWSER = {"accept": "text/html,application/xhtml+xml"}


def request(method: str = "GET", **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"method": method, "headers": pairs, "query_string": b""}, receive, {}, 0)


@pytest.fixture
def built(tmp_path: Path) -> WebFiles:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "a.js").write_text("x" * 5000)
    (tmp_path / ".built").write_text("no file of the page")
    return WebFiles(tmp_path)


@pytest.mark.parametrize("path", ["/", "/executions", "/executions/0123", "/login", "/nowhere"])
def test_a_browser_gets_the_page_at_every_address_of_it(built: WebFiles, path: str) -> None:
    answer = built.answer(request(**BROWSER), path)
    assert answer is not None
    assert answer.content == b"<!doctype html>"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/v1/executions", "/api/v1/executions", "/stream/v1/stream", "/auth/v1/tokens", "/healthz"]
)
def test_endpoints_stay_endpoints_also_for_browsers(built: WebFiles, path: str) -> None:
    assert built.answer(request(**BROWSER), path) is None


def test_clients_that_are_no_browsers_get_the_api(built: WebFiles) -> None:
    for accept in ("*/*", "application/json"):
        assert built.answer(request(accept=accept), "/executions") is None
    assert built.answer(request("POST", **BROWSER), "/executions") is None


def test_files_with_a_hash_in_their_name_are_kept_for_ever_and_sent_small(built: WebFiles) -> None:
    answer = built.answer(request(accept="*/*", accept_encoding="gzip, br"), "/assets/a.js")
    assert answer is not None
    assert "immutable" in answer.headers["Cache-Control"]
    assert gzip.decompress(answer.content) == b"x" * 5000
    plain = built.answer(request(accept="*/*"), "/assets/a.js")
    assert plain is not None
    assert plain.content == b"x" * 5000


def test_what_a_browser_has_already_is_not_sent_again(built: WebFiles) -> None:
    first = built.answer(request(**BROWSER), "/")
    assert first is not None
    again = built.answer(request(**BROWSER, if_none_match=first.headers["ETag"]), "/")
    assert again is not None
    assert (again.status, again.content) == (304, b"")


def test_nothing_but_the_files_of_the_page_is_served(built: WebFiles) -> None:
    for path in ("/.built", "/../secret.key", "/assets/../../secret.key", "/assets/b.js"):
        assert built.answer(request(accept="*/*"), path) is None


def test_without_a_built_page_one_line_says_how_to_build_it(tmp_path: Path) -> None:
    answer = WebFiles(tmp_path).answer(request(**BROWSER), "/")
    assert answer is not None
    assert b"make web" in answer.content
    assert WebFiles(None).answer(request(accept="*/*"), "/executions") is None


def test_head_is_answered_like_get_and_only_files_are_held(built: WebFiles) -> None:
    answer = built.answer(request("HEAD", **BROWSER), "/")
    assert answer is not None
    assert answer.content == b"<!doctype html>"
    assert built.holds("/assets/a.js")
    assert not any(built.holds(path) for path in ("/", "/index.html", "/executions", "/.built"))
