"""Addresses that are typed into an open page, and the way back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from tests.scenarios.live.server import Server


def sees(page: Page, text: str) -> None:
    expect(page.locator(".log .row .text", has_text=re.compile(f"^{re.escape(text)}$"))).to_have_count(1)


def two(server: Server) -> tuple[str, str]:
    one, other = server.shell("echo the first"), server.shell("echo the second")
    server.ended(one)
    server.ended(other)
    return one, other


@pytest.mark.parametrize("rest", ["", "/general", "/output?x=1"])
def test_another_execution_in_the_fragment_of_an_open_page_is_shown(
    page: Page, plain_server: Server, rest: str
) -> None:
    one, other = two(plain_server)
    page.goto(f"{plain_server.url}/#/history/{one}{rest}")
    sees(page, "the first")
    page.evaluate(f"location.hash = '#/history/{other}{rest}'")
    sees(page, "the second")
    assert page.url == f"{plain_server.url}/executions/{other}"
    page.evaluate("location.hash = '#/history'")
    expect(page.locator("table.history")).to_be_visible()


def test_the_ways_back_and_forward_show_what_was_shown(page: Page, plain_server: Server) -> None:
    one, other = two(plain_server)
    page.goto(f"{plain_server.url}/executions/{one}")
    sees(page, "the first")
    page.get_by_role("link", name="History").click()
    page.locator(f'a[href="/executions/{other}"]').click()
    sees(page, "the second")
    page.go_back()
    page.go_back()
    sees(page, "the first")
    page.go_forward()
    page.go_forward()
    sees(page, "the second")


def test_other_lines_in_the_fragment_of_an_open_page_are_shown(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("seq 1 3000")
    plain_server.ended(execution)
    page.goto(f"{plain_server.url}/executions/{execution}#L100")
    sees(page, "100")
    page.evaluate("location.hash = '#L2000-2001'")
    sees(page, "2000")
    expect(page.locator(".log .row.chosen")).to_have_count(2)
    page.go_back()
    sees(page, "100")
    expect(page.locator(".log .row.chosen .text")).to_have_text("100")
