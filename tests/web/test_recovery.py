"""The page while the server is away, and when it is back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from tests.scenarios.faults.mortal import Mortal


def test_a_log_stays_when_tabs_are_switched_while_the_server_is_away(page: Page, mortal: Mortal) -> None:
    execution = mortal.shell("for i in $(seq 1 500); do echo line $i; done")
    mortal.ended(execution)
    page.goto(f"{mortal.url}/executions/{execution}")
    last = page.locator(".log .row .text", has_text=re.compile("^line 500$"))
    expect(last).to_have_count(1)
    mortal.kill()
    page.get_by_role("tab", name="details").click()
    page.locator(".details dl").first.wait_for()
    page.get_by_role("tab", name="log").click()
    expect(page.locator(".log [role=alert]")).to_be_visible()
    expect(last).to_have_count(1)
    mortal.again()
    expect(page.locator(".log [role=alert]")).to_have_count(0)
    expect(last).to_have_count(1)


def test_errors_go_when_the_server_is_back(page: Page, mortal: Mortal) -> None:
    visited, execution = mortal.shell("echo before"), mortal.shell("echo here")
    mortal.ended(visited)
    mortal.ended(execution)
    page.goto(f"{mortal.url}/executions/{visited}")
    page.locator(".log .row").first.wait_for()
    page.get_by_role("link", name="History").click()
    link = page.locator(f'a[href="/executions/{execution}"]')
    expect(link).to_be_visible()
    mortal.kill()
    alert = page.get_by_role("alert")
    link.click()
    expect(alert).to_contain_text("The server does not answer")
    mortal.again()
    expect(page.locator(".log .row .text", has_text=re.compile("^here$"))).to_have_count(1)
    expect(alert).to_have_count(0)
    mortal.kill()
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("button", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog").get_by_role("alert")
    expect(dialog).to_contain_text("The server does not answer")
    mortal.again()
    expect(dialog).to_have_count(0)


def test_a_graph_that_is_opened_while_the_server_is_away_comes_when_it_is_back(page: Page, mortal: Mortal) -> None:
    execution = mortal.request("examples.flow_line")
    mortal.ended(execution)
    page.goto(f"{mortal.url}/executions/{execution}")
    page.locator(".log .row").first.wait_for()
    mortal.kill()
    page.get_by_role("tab", name="graph").click()
    expect(page).to_have_url(re.compile("tab=graph"))
    mortal.again()
    expect(page.locator(".react-flow__node")).to_have_count(3)
    expect(page.get_by_role("alert")).to_have_count(0)
