"""The address of a page."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

ID = "65a0c0ffee00000000000001"


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("webbrowser.open", addresses.append)
    monkeypatch.setattr("sys.platform", "linux")
    return addresses


@pytest.mark.parametrize(("words", "path"), [([], ""), (["last"], f"/{ID}"), ([ID], f"/{ID}")])
@pytest.mark.parametrize("suffix", ["", "/", "/v1"])
def test_the_address_of_the_page_is_printed(
    fake: ModuleType, run: Callable[..., Any], words: list[str], path: str, suffix: str, opened: list[str]
) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url + suffix, "open", *words)
    assert got == (0, f"{server.url}/executions{path}\n".encode(), b"") and opened == []


def test_at_a_desktop_the_page_opens(
    fake: ModuleType, run: Callable[..., Any], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    with fake.FakeSquall([]) as server:
        run("--url", server.url, "open", "--print")
        assert opened == []
        run("--url", server.url, "open")
    assert opened == [f"{server.url}/executions"]


def test_an_execution_that_does_not_exist_has_no_page(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "open", "nope")
    assert got.status == 2 and got.out == b""
