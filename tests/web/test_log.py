"""What a log shows and gives away: trees, streams, long lines, selections."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect
from tests.scenarios.live.server import Server


def opened(page: Page, server: Server, execution: str, rest: str = "") -> None:
    page.goto(f"{server.url}/executions/{execution}{rest}")


def row(page: Page, text: str) -> Locator:
    return page.locator(".log .row:not(.held) .text", has_text=re.compile(f"^{re.escape(text)}$"))


def sees(page: Page, text: str) -> None:
    expect(row(page, text)).to_have_count(1)


def drawn(page: Page) -> None:
    """Waits until the page has drawn what it knows now."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def family(server: Server) -> tuple[str, str]:
    """A tree of two that has printed 6,002 lines."""
    with server.puppet() as (root, strings):
        body = {
            "action": "core.local",
            "parameters": {"cmd": "for i in $(seq 1 6000); do echo child $i; done"},
            "context": {"parent": {"execution_id": root}, "orquesta": {"task_name": "deploy"}},
        }
        child = str(server.call("POST", "/v1/executions", body).json["id"])
        server.ended(child)
        strings.say(b"root one\nroot two\n")
    server.ended(root)
    return root, child


def test_the_log_of_a_whole_tree_goes_back_to_its_first_line(page: Page, plain_server: Server) -> None:
    root, _ = family(plain_server)
    opened(page, plain_server, root)
    sees(page, "root two")
    expect(page.locator(".log")).to_have_attribute("data-total", "6002")
    page.keyboard.press("g")
    sees(page, "child 1")
    first = page.locator(".log .row").first
    expect(first.locator(".owner")).to_have_text("deploy │")
    page.keyboard.press("/")
    page.keyboard.type("(child 300[0-9]|root )")
    expect(page.get_by_text("12 lines", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".log .row.found .text")).to_have_text("child 3000")
    page.keyboard.press("Escape")
    page.keyboard.press("N")
    expect(page.locator(".log .row.found .text")).to_have_text("root two")
    page.locator(".log .row.found .number").click()
    assert page.url.endswith("#L6002")


def test_a_permalink_into_a_tree_opens_there(page: Page, plain_server: Server) -> None:
    root, child = family(plain_server)
    opened(page, plain_server, root, "#L3000")
    expect(page.locator(".log .row.chosen .text")).to_have_text("child 3000")
    page.locator('[role="treeitem"][aria-level="2"]').click()
    sees(page, "child 6000")
    expect(page.locator(".log .owner")).to_have_count(0)
    page.locator('[role="treeitem"][aria-level="1"]').click()
    sees(page, "root two")
    assert child not in page.url


def test_a_workflow_inside_a_tree_shows_what_is_below_it(page: Page, plain_server: Server) -> None:
    root = plain_server.request("examples.flow_nested")
    plain_server.ended(root)
    children = plain_server.get(f"/v1/executions/{root}/children")
    nested = next(each for each in children if each["liveaction"].get("action_is_workflow"))
    opened(page, plain_server, root, f"?show={nested['id']}")
    expect(page.locator(".log .row").first).to_be_visible()
    below = plain_server.get(f"/v1/executions/{nested['id']}/children")
    names = {each["context"]["orquesta"]["task_name"] for each in below}
    shown = {text.removesuffix(" │") for text in page.locator(".log .owner").all_inner_texts()}
    assert shown
    assert shown <= names


def test_one_stream_is_shown_without_the_other_in_between(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell(
        "seq 1 5000; sleep 0.3; echo first >&2; sleep 0.3; seq 1 5000; sleep 0.3; echo second >&2"
    )
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "second")
    page.get_by_label("Stream").select_option("stderr")
    expect(page.locator(".log")).to_have_attribute("data-total", "2")
    expect(page.locator(".log .row .text")).to_have_text(["first", "second"])
    assert page.locator(".log .row .number").all_inner_texts() == ["5001", "10002"]


def test_the_next_error_is_found_on_any_stream(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("seq 1 3000; echo step 7 FAILED badly; seq 1 3000; sleep 0.3; echo hmm >&2")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "hmm")
    page.keyboard.press("g")
    sees(page, "1")
    page.keyboard.press("x")
    expect(page.locator(".log .row.found .text")).to_have_text("step 7 FAILED badly")
    page.keyboard.press("e")
    expect(page.locator(".log .row.found .text")).to_have_text("hmm")


def test_the_page_of_an_execution_inside_a_tree_ends_with_the_tree(page: Page, plain_server: Server) -> None:
    with plain_server.puppet() as (root, strings), plain_server.puppet(parent=root) as (child, below):
        opened(page, plain_server, child)
        below.say(b"from below\n")
        sees(page, "from below")
        strings.say(b"from above\n")
    plain_server.ended(root)
    expect(page.locator(".head .status", has_text="succeeded")).to_be_visible()
    expect(page.locator(".indicator")).to_have_text("ended")


def test_an_empty_log_says_so(page: Page, plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        opened(page, plain_server, execution)
        expect(page.get_by_text("Nothing printed yet")).to_be_visible()
        strings.say(b"something\n")
        sees(page, "something")
        expect(page.get_by_text("Nothing printed yet")).to_have_count(0)
    silent = plain_server.shell("true")
    plain_server.ended(silent)
    opened(page, plain_server, silent)
    expect(page.get_by_text("Nothing was printed")).to_be_visible()


def test_lines_of_a_megabyte_cost_no_more_than_what_is_shown_of_them(page: Page, plain_server: Server) -> None:
    line = "head -c 1000000 /dev/zero | tr '\\0' x; echo"
    execution = plain_server.shell(f"for i in $(seq 1 200); do {line}; done; echo end")
    plain_server.ended(execution)
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", "0"))))
    opened(page, plain_server, execution)
    sees(page, "end")
    expect(page.locator(".log .row .text").first).to_have_text(re.compile("^x+ … and [0-9]+ more bytes$"))
    page.keyboard.press("r")
    expect(page.locator(".log .row .text").first).to_have_text(re.compile("more bytes$"))
    page.keyboard.press("g")
    expect(page.locator(".log .row .number").first).to_have_text("1")
    assert max(sizes) < 20_000_000


def test_a_long_progress_bar_shows_where_it_is(page: Page, plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        strings.say(b"".join(b"\r%6d of 20000" % number for number in range(10_000)))
        opened(page, plain_server, execution)
        sees(page, "  9999 of 20000")
        strings.say(b"".join(b"\r%6d of 20000" % number for number in range(10_000, 20_001)))
        sees(page, " 20000 of 20000")
        strings.say(b"\n")
    expect(page.locator(".indicator")).to_have_text("ended")
    sees(page, " 20000 of 20000")


def test_a_selection_goes_on_where_rows_have_left_the_page(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("for i in $(seq 1 30000); do echo line $i; done")
    plain_server.ended(execution)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=plain_server.url)
    opened(page, plain_server, execution, "#L10")
    expect(page.locator(".log .row.chosen .text")).to_have_text("line 10")
    sees(page, "line 12")
    drawn(page)
    begin = row(page, "line 12").bounding_box()
    assert begin is not None
    # From the middle of one line, over thousands that are scrolled by, to the middle of another.
    character = 7.5
    page.mouse.move(begin["x"] + 5 * character, begin["y"] + 9)
    page.mouse.down()
    page.mouse.move(begin["x"] + 40, begin["y"] + 60, steps=3)
    page.wait_for_function("() => !getSelection().isCollapsed")
    drawn(page)
    for thousands in range(1, 21):
        page.mouse.wheel(0, 18 * 1000)
        expect(page.locator(".log")).to_have_attribute("data-top", re.compile(f"^{thousands}0[0-9][0-9]$"))
    last = page.locator(".log .row:not(.held) .text", has_text=re.compile("^line 20020$"))
    end = last.bounding_box()
    assert end is not None
    page.mouse.move(end["x"] + 300, end["y"] + 9, steps=3)
    row_of_focus = "getSelection().focusNode?.parentElement?.closest('[data-line]')?.dataset.line"
    page.wait_for_function(f"() => {row_of_focus} === '20020'")
    page.mouse.up()
    drawn(page)
    page.keyboard.press("Control+c")
    expect(page.locator(".gaps", has_text="20,009 lines copied")).to_be_visible()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert text.split("\n")[0] in ("12", " 12", "2")
    assert text.split("\n")[1:] == [f"line {number}" for number in range(13, 20021)]


def test_all_lines_are_chosen_and_copied_by_their_keys(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("seq 1 3000")
    plain_server.ended(execution)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=plain_server.url)
    opened(page, plain_server, execution)
    sees(page, "3000")
    page.locator(".log").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    expect(page.locator(".gaps", has_text="3,000 lines copied")).to_be_visible()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert text == "\n".join(map(str, range(1, 3001)))


def test_a_child_has_its_result_among_the_details(page: Page, plain_server: Server) -> None:
    _, child = family(plain_server)
    root = plain_server.get(f"/v1/executions/{child}")["parent"]
    opened(page, plain_server, root, f"?show={child}&tab=details")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()


def test_a_log_is_downloaded_as_it_is_with_times_and_compressed(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("seq 1 3000")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    page.get_by_text("download", exact=True).click()
    page.get_by_label("compressed").check()
    with page.expect_download() as found:
        page.get_by_role("link", name="text with times").click()
    assert found.value.suggested_filename == f"{execution}.times.txt.gz"
    assert found.value.path().read_bytes()[:2] == b"\x1f\x8b"
