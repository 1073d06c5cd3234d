from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# Test folders are no packages; `pytest` started by its own name does not look in the directory it is started in.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.scenarios.faults.mortal import Mortal, mortal_server

from squall.testing.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
"""Without a graphics processor, Chromium would emulate one to draw pages that nobody sees."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, without a window.

    Playwright keeps an event loop in this thread, in which no other loop can run: it must be gone before other tests.
    """
    if not (ROOT / "web" / "dist" / "index.html").is_file():
        pytest.skip("the web page is not built: there is no node on this machine (make web)")
    if not CHROMIUM:
        pytest.skip("there is no chromium on this machine, and it could not be installed (see .ci/packages.txt)")
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test if a script of it fails, or its policy had to forbid something."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: complaints.append(told.text) if "Content Security Policy" in told.text else None)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def mortal(tmp_path: Path, packs: Path) -> Iterator[Mortal]:
    """A server that may be killed and started again."""
    with mortal_server(tmp_path, packs) as found:
        yield found
