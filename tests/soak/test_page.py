"""The page where there is most to show: `yes` for ten seconds, a way through five million lines, and tabs that are open
for long on a busy server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from tests.scenarios.live.server import Server, serving

LINES = 5_000_000
ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
MOST_HEAP = 200 << 20
MOST_GROWTH = 10 << 20
MINUTES = float(os.environ.get("SQUALL_SOAK_MINUTES", "1"))

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not CHROMIUM or not (ROOT / "web" / "dist" / "index.html").is_file(),
        reason="there is no chromium on this machine, or the page is not built (make web)",
    ),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    env = {"SQUALL_ACTIONRUNNER_OUTPUT_LIMIT_BYTES": "8 GiB"}
    with serving(tmp_path, tmp_path, env=env) as found:
        yield found


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"]
        )
        page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def heap(page: Page) -> int:
    return int(page.evaluate("() => { globalThis.gc?.(); return performance.memory.usedJSHeapSize; }"))


def shown(page: Page, text: str) -> None:
    expect(page.locator(".log .row .text", has_text=re.compile(f"^{re.escape(text)}$"))).to_have_count(1)


def test_the_page_answers_while_yes_prints(server: Server, page: Page) -> None:
    # `yes` is ended in the middle of a line.
    execution = server.shell("timeout 10 yes 'as fast as it can be printed'; echo; echo done")
    page.goto(f"{server.url}/executions/{execution}")
    page.wait_for_selector(".log .row")
    for _ in range(10):
        # A key is answered by a page that is not busy, and by no other.
        page.keyboard.press("g")
        expect(page.locator(".log .row .number").first).to_have_text("1")
        page.keyboard.press("G")
    server.ended(execution)
    shown(page, "done")
    assert heap(page) < MOST_HEAP


def test_five_million_lines_are_gone_through(server: Server, page: Page) -> None:
    execution = server.shell(f"seq 1 {LINES}")
    server.ended(execution)
    page.goto(f"{server.url}/executions/{execution}")
    shown(page, str(LINES))
    for line in range(1, LINES, LINES // 40):
        page.goto(f"{server.url}/executions/{execution}#L{line}")
        page.reload()
        shown(page, str(line))
    page.keyboard.press("g")
    shown(page, "1")
    log = page.locator(".log")
    for _ in range(300):
        log.hover()
        page.mouse.wheel(0, 4000)
    first = int(page.locator(".log .row .number").first.inner_text())
    assert first > 1000
    shown(page, str(first + 5))
    assert heap(page) < MOST_HEAP


@contextlib.contextmanager
def busy(server: Server) -> Iterator[list[int]]:
    """Executions are requested as fast as two clients can; gives how many there were."""
    stop, count = threading.Event(), [0]

    def ask() -> None:
        while not stop.is_set():
            server.request("core.noop")
            count[0] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield count
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.timeout(900 + 120 * MINUTES)
def test_tabs_stay_small_however_long_they_are_open(server: Server, page: Page) -> None:
    seconds = max(60.0, 60 * MINUTES)
    script = (
        f'end=$((SECONDS + {int(seconds) + 60})); while [ $SECONDS -lt $end ]; do echo "at $SECONDS"; sleep 0.01; done'
    )
    execution = server.shell(script)
    history = page.context.new_page()
    history.goto(f"{server.url}/executions")
    page.goto(f"{server.url}/executions/{execution}")
    page.wait_for_selector(".log .row")
    heaps: list[tuple[int, int]] = []
    with busy(server) as count:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(seconds / 12)
            heaps.append((heap(page), heap(history)))
    print(f"{count[0]} executions, {page.locator('.log').get_attribute('data-total')} lines, heaps {heaps}")
    assert count[0] > 10 * seconds
    for before, after in zip(heaps[3], heaps[-1], strict=True):
        assert after < MOST_HEAP
        # Nothing is kept of what has gone by: neither of executions nor of lines.
        assert after < before + MOST_GROWTH
    server.call("DELETE", f"/v1/executions/{execution}")
    server.ended(execution)
