"""The web page in a real browser: how much it loads, how soon it shows what, and how smooth it stays."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import statistics
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.context import Bench, BrokenError
from bench.goals import BUNDLE, FIRST_PAINT, FRAME, KEY, SHOWN, TAB
from bench.rows import Row
from bench.servers import ROOT, Squall, squall
from bench.wire import Connection

if TYPE_CHECKING:
    from playwright.sync_api import Page

_DIST = ROOT / "web" / "dist"
_LINES = 40
_FRAMES = """(seconds) => new Promise((done) => {
    const frames = [];
    let before = performance.now();
    const until = before + seconds * 1000;
    const step = (now) => {
        frames.push(now - before);
        before = now;
        if (now < until) requestAnimationFrame(step); else done(frames);
    };
    requestAnimationFrame(step);
})"""


_KEYS = 40
_PAINTED = """() => {
    globalThis.painted = [];
    addEventListener("keydown", (event) => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => painted.push(performance.now() - event.timeStamp);
        channel.port2.postMessage(0);
    }), true);
}"""
_BARE = """() => {
    document.body.innerHTML = "<p id=told>0</p>";
    addEventListener("keydown", () => { told.textContent = String(Number(told.textContent) + 1); });
}"""


def page(bench: Bench) -> Iterator[Row]:
    """Figures of the execution page; none where there is no browser.

    Only keys have a floor: a page with nothing on it, in the same browser, while the same prints.
    """
    if not (_DIST / "index.html").is_file():
        raise BrokenError("the page is not built: make web")
    yield Row("what the log page loads, gzipped", "kB", _bundle(), None, BUNDLE)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise BrokenError("there is no chromium")
    from playwright.sync_api import sync_playwright

    with squall(bench) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"]
        )
        try:
            found = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
            found.goto(f"http://127.0.0.1:{server.port}/")
            yield from _shown(server, found)
            yield from _chatty(bench, server, found)
        finally:
            browser.close()


def _bundle() -> float:
    """What the entry page and the log page name and import at once, in kB."""
    waiting = ["index.html", *(f"assets/{path.name}" for path in (_DIST / "assets").glob("ExecutionPage-*.js"))]
    names = set(waiting)
    while waiting:
        text = (_DIST / waiting.pop()).read_text(errors="replace")
        for name in re.findall(
            r"""(?:src=|href=|from|import)\s*["']\.{0,2}/?((?:assets/)?[\w.-]+\.(?:js|css))["']""", text
        ):
            path = name if name.startswith("assets/") else f"assets/{name}"
            if path not in names and (_DIST / path).is_file():
                names.add(path)
                waiting.append(path)
    return sum(len(gzip.compress((_DIST / name).read_bytes(), 9)) for name in names) / 1000


def _start(server: Squall, cmd: str) -> str:
    connection = Connection(server.port)
    try:
        path, body = server.command(cmd)
        return str(connection.post(path, body)["id"])
    finally:
        connection.close()


def _wait_for_lines(server: Squall, execution: str, lines: int) -> None:
    connection = Connection(server.port)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            _, _, body = connection.request("GET", f"/v1/executions/{execution}/output/stats")
            if json.loads(body)["lines"] >= lines:
                return
            time.sleep(0.01)
        raise BrokenError("the log has not been printed")
    finally:
        connection.close()


def _shown(server: Squall, found: Page) -> Iterator[Row]:
    """The end of a running log, and lines as they are printed, by the clock of this machine."""
    execution = _start(server, "for i in $(seq 1 20000); do echo line $i; done; echo the end; sleep 60")
    _wait_for_lines(server, execution, 20_001)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        found.goto(f"http://127.0.0.1:{server.port}/executions/{execution}")
        found.wait_for_selector(".log .row:has-text('the end')")
        took.append((time.perf_counter() - began) * 1000)
    yield Row("opening a running log to its end on the screen, p50", "ms", statistics.median(took), None, FIRST_PAINT)
    told = f"for i in $(seq 1 {_LINES}); do date +@%s%N; sleep 0.05; done"
    execution = _start(server, f"sleep 1; {told}; sleep 1")
    found.goto(f"http://127.0.0.1:{server.port}/executions/{execution}")
    delays: list[float] = found.evaluate(
        """(count) => new Promise((done) => {
            const seen = new Map();
            const look = () => {
                const now = Date.now();
                for (const row of document.querySelectorAll('.log .row .text')) {
                    const text = row.textContent ?? '';
                    if (text.startsWith('@') && !seen.has(text)) seen.set(text, now - Number(text.slice(1)) / 1e6);
                }
                if (seen.size < count) requestAnimationFrame(look); else done([...seen.values()]);
            };
            look();
        })""",
        _LINES,
    )
    delays.sort()
    yield Row("a line printed -> shown on the page, p50", "ms", statistics.median(delays), None, SHOWN)
    yield Row("a line printed -> shown on the page, p99", "ms", delays[-1], None)


def _chatty(bench: Bench, server: Squall, found: Page) -> Iterator[Row]:
    """Frames and memory while `yes` prints as fast as it can."""
    seconds = bench.sized(10, 4)
    execution = _start(server, f"timeout {seconds + 16} yes 'as fast as it can be printed, and a little more of it'")
    found.goto(f"http://127.0.0.1:{server.port}/executions/{execution}")
    found.wait_for_selector(".log .row")
    frames: list[float] = sorted(found.evaluate(_FRAMES, seconds))
    yield Row("a frame while `yes` prints, p50", "ms", statistics.median(frames), None, FRAME)
    yield Row("a frame while `yes` prints, p99", "ms", frames[int(len(frames) * 0.99)])
    keys = _pressed(found)
    bare = found.context.new_page()
    bare.evaluate(_BARE)
    floor = _pressed(bare)
    bare.close()
    for name, part, goal in (("p50", 0.5, None), ("p95", 0.95, KEY)):
        at = int(_KEYS * part)
        yield Row(f"a key pressed -> painted while `yes` prints, {name}", "ms", keys[at], floor[at], goal)
    memory: Any = found.evaluate("() => { globalThis.gc?.(); return performance.memory.usedJSHeapSize; }")
    yield Row("memory of the page's script then", "MB", memory / 1e6, None, TAB)


def _pressed(found: Page) -> list[float]:
    """ms from keys to the frames behind them, in order."""
    found.evaluate(_PAINTED)
    for number in range(_KEYS):
        found.keyboard.press("tw"[number % 2])
        time.sleep(0.08)
    found.wait_for_function(f"() => painted.length >= {_KEYS}")
    painted: list[float] = found.evaluate("() => painted")
    return sorted(painted)
