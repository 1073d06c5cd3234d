"""Takes the screenshots of the documentation: `python web/screenshots.py`, in a checkout whose page is built.

It starts a server of its own in a temporary directory, and needs Chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent / "screenshots"
COMMAND = r"""
printf '\033[1mdeploying\033[0m web-3 ...\n'
for step in fetch build migrate restart; do
  printf '\033[36m==>\033[0m %s\n' $step
  for i in 1 2 3 4 5 6; do echo "    $step: part $i of 6"; done
  sleep 0.3
done
echo 'warning: 2 connections were dropped' >&2
printf '\033[32mhealthy\033[0m after 4 s\n'
for i in $(seq 1 60); do printf '\rwatching: %s s' $i; sleep 1; done
"""


def main() -> None:
    """Both themes of the pages."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "squall", "serve", "--port", "0", "--data-dir", folder, "--stop-actions"]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = server.stdout.readline().split(" is ready at ")[1].split()[0]
        try:
            take(url)
        finally:
            server.terminate()
            server.terminate()
            server.wait()


def request(url: str, action: str, **parameters: object) -> str:
    """Requests an execution; its id."""
    body = json.dumps({"action": action, "parameters": parameters}).encode()
    asked = urllib.request.Request(f"{url}/v1/executions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        return str(json.load(answer)["id"])


def take(url: str) -> None:
    """Takes them."""
    for number in range(3):
        request(url, "core.local", cmd=f"exit {number % 2}")
    request(url, "examples.countdown", count=2)
    flow = request(url, "examples.flow_nested")
    some = request(url, "examples.flow_decide")
    execution = request(url, "core.local", cmd=COMMAND)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for theme in ("dark", "light"):
            page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme=theme)
            page.goto(f"{url}/executions/{execution}")
            page.locator(".log .row .text", has_text="watching").wait_for()
            picture(page, f"execution-{theme}")
            page.goto(f"{url}/executions/{flow}")
            page.locator(".log .row .text", has_text="HELLO, SQUALL!!").wait_for()
            picture(page, f"workflow-{theme}")
            page.goto(f"{url}/executions/{some}?tab=graph")
            page.locator(".react-flow__edge").first.wait_for()
            picture(page, f"graph-{theme}")
            page.goto(f"{url}/executions")
            page.locator("table.history").wait_for()
            picture(page, f"history-{theme}")
        browser.close()


def picture(page: Page, name: str) -> None:
    """One screenshot."""
    page.screenshot(path=HERE / f"{name}.png")


if __name__ == "__main__":
    main()
