"""The web page in a real browser, on a real server."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.scenarios.faults.mortal import Mortal
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.adapters.htpasswd import write

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def opened(page: Page, server: Server, execution: str, rest: str = "") -> None:
    page.goto(f"{server.url}/executions/{execution}{rest}")


def sees(page: Page, text: str) -> None:
    expect(page.locator(".log .row .text", has_text=re.compile(f"^{re.escape(text)}$"))).to_have_count(1)


def numbers(page: Page) -> list[int]:
    return [int(text) for text in page.locator(".log .row .number").all_inner_texts()]


def test_a_running_action_is_seen_line_by_line_to_its_end(page: Page, plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        opened(page, plain_server, execution)
        for number in range(3):
            strings.say(f"line {number}\n".encode())
            sees(page, f"line {number}")
        expect(page.locator(".head .status", has_text="running")).to_be_visible()
        expect(page.locator(".tree .last")).to_have_text("line 2")
    expect(page.locator(".head .status", has_text="succeeded")).to_be_visible()
    expect(page.locator(".indicator")).to_have_text("ended")
    assert numbers(page) == [1, 2, 3]


def test_who_opens_late_sees_the_end_and_finds_the_beginning(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("for i in $(seq 1 5000); do echo line $i; done")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "line 5000")
    page.keyboard.press("g")
    sees(page, "line 1")
    page.keyboard.press("G")
    sees(page, "line 5000")


def test_a_reload_in_mid_run_shows_every_line_once(page: Page, plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        strings.say(b"before\n")
        opened(page, plain_server, execution)
        sees(page, "before")
        page.reload()
        strings.say(b"after\n")
        sees(page, "after")
        assert numbers(page) == [1, 2]


def test_the_page_goes_on_when_the_server_has_been_killed(page: Page, mortal: Mortal, tmp_path: Path) -> None:
    server = mortal
    gate = tmp_path / "gate"
    execution = server.shell(f"echo before; while [ ! -e {gate} ]; do sleep 0.05; done; echo after")
    opened(page, server, execution)
    sees(page, "before")
    mortal.kill()
    expect(page.locator(".indicator", has_text="reconnecting")).to_be_visible()
    gate.touch()
    mortal.again()
    sees(page, "after")
    assert numbers(page) == [1, 2]


def test_the_whole_log_is_searched_on_the_server(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("for i in $(seq 1 3000); do echo line $i; done")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "line 3000")
    page.keyboard.press("/")
    page.keyboard.type("line 1[05]00$")
    expect(page.get_by_text("2 lines")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".log .row.found .text")).to_have_text("line 1000")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator(".log .row.found .text")).to_have_text("line 1500")
    page.keyboard.press("N")
    expect(page.locator(".log .row.found .text")).to_have_text("line 1000")


def test_a_permalink_opens_at_its_lines(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("for i in $(seq 1 3000); do echo line $i; done")
    plain_server.ended(execution)
    opened(page, plain_server, execution, "#L1200-1202")
    sees(page, "line 1201")
    expect(page.locator(".log .row.chosen")).to_have_count(3)
    page.locator(".log .row .number", has_text=re.compile("^1205$")).click()
    assert page.url.endswith("#L1205")


def test_output_is_text_and_never_executed(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell(
        'printf \'<img src=x onerror="document.title=1">\\n'
        "\\033]0;owned\\007title\\n\\033]8;;javascript:alert(1)\\033\\\\\\\\link\\n\\342\\200\\256abc\\n'"
    )
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, '<img src=x onerror="document.title=1">')
    expect(page.locator(".log img")).to_have_count(0)
    expect(page.locator(".log .text a")).to_have_count(0)
    assert page.title() == "✓ core.local · Squall"
    expect(page.locator(".log .row .text", has_text="⟨U+202E⟩abc")).to_have_count(1)


def test_progress_is_painted_as_a_terminal_paints_it_and_raw_is_one_key_away(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("printf '10%%\\r50%%\\r100%%\\ndone\\n'")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "100%")
    page.keyboard.press("r")
    sees(page, "10%␍50%␍100%")


def test_an_action_is_cancelled_from_the_page(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("echo started; sleep 60")
    opened(page, plain_server, execution)
    sees(page, "started")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".head .status", has_text="canceled")).to_be_visible()
    assert plain_server.ended(execution)["status"] == "canceled"


def test_an_action_is_run_again_with_other_parameters(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("echo first")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    page.get_by_role("button", name="Run again").click()
    page.locator('textarea[name="cmd"]').fill("echo second")
    page.get_by_role("button", name="Run", exact=True).click()
    sees(page, "second")
    assert execution not in page.url


def test_a_parameter_that_means_nothing_is_told_by_its_name(page: Page, plain_server: Server) -> None:
    execution = plain_server.request("examples.countdown", count=1)
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    page.get_by_role("button", name="Run again").click()
    page.locator('textarea[name="count"]').fill("three")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text('count: "three" is no integer')
    page.locator('textarea[name="count"]').fill("2")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).not_to_have_url(re.compile(execution))
    sees(page, "liftoff")


def test_the_tree_shows_children_and_their_last_lines(page: Page, plain_server: Server) -> None:
    with plain_server.puppet() as (root, strings), plain_server.puppet(parent=root) as (child, below):
        opened(page, plain_server, root)
        below.say(b"from below\n")
        item = page.locator('[role="treeitem"][aria-level="2"]')
        expect(item.locator(".last")).to_have_text("from below")
        strings.say(b"from above\n")
        item.click()
        sees(page, "from below")
        expect(page.locator(".log .row .text", has_text="from above")).to_have_count(0)
        assert f"show={child}" in page.url


def test_the_graph_of_a_workflow_shows_its_tasks_the_ways_taken_and_leads_to_their_output(
    page: Page, plain_server: Server
) -> None:
    execution = plain_server.request("examples.flow_line")
    plain_server.ended(execution)
    opened(page, plain_server, execution, "?tab=graph")
    for task in ("greet", "shout", "done"):
        expect(page.locator(".react-flow__node", has_text=task)).to_contain_text("succeeded")
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    page.locator(".react-flow__node", has_text="shout").click()
    sees(page, "HELLO, SQUALL!")
    page.get_by_role("tab", name="graph").click()
    expect(page.locator(".react-flow__node.marked")).to_contain_text("shout")
    page.locator('[role="treeitem"]', has_text="done").click()
    expect(page.locator(".react-flow__node.marked")).to_contain_text("done")


def test_the_graph_counts_items(page: Page, plain_server: Server) -> None:
    execution = plain_server.request("examples.flow_items")
    plain_server.ended(execution)
    opened(page, plain_server, execution, "?tab=graph")
    expect(page.locator(".react-flow__node").first).to_contain_text("3/3")


def test_an_inquiry_is_answered_in_place(page: Page, plain_server: Server) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean", "required": True}}}
    execution = plain_server.request("core.ask", route="page", schema=schema)
    opened(page, plain_server, execution)
    expect(page.locator(".head .status", has_text="pending")).to_be_visible()
    page.get_by_role("button", name="Answer …").click()
    page.get_by_role("checkbox", name="ok").check()
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator(".head .status", has_text="succeeded")).to_be_visible()
    assert plain_server.get(f"/v1/executions/{execution}")["result"]["response"] == {"ok": True}


def test_a_workflow_is_paused_and_resumed_from_the_page(page: Page, plain_server: Server, tmp_path: Path) -> None:
    execution = plain_server.request("examples.flow_wait")
    opened(page, plain_server, execution)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".head .status", has_text="succeeded")).to_be_visible()
    assert plain_server.get(f"/v1/executions/{execution}")["result"] == {"output": {"times": 3}}


def test_a_workflow_goes_on_from_its_failed_tasks(page: Page, plain_server: Server) -> None:
    execution = plain_server.request("examples.flow_errors", code=3)
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("button", name="From the failed tasks on").click()
    expect(page).not_to_have_url(re.compile(execution))
    expect(page.locator(".head .status", has_text="failed")).to_be_visible()
    made = re.findall(r"[0-9a-f]{24}", page.url)[0]
    assert plain_server.get(f"/v1/executions/{made}")["context"]["re-run"]["ref"] == execution


def test_everything_has_a_key_and_the_keys_are_told(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell(
        "for i in $(seq 1 3000); do echo line $i; done; echo wrong >&2; sleep 0.2; echo more"
    )
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "more")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    sees(page, "line 1")
    page.keyboard.press("e")
    sees(page, "wrong")
    page.keyboard.press("/")
    page.keyboard.type("line 2000")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    sees(page, "line 2000")
    page.keyboard.press("w")
    expect(page.locator(".log.wrap")).to_have_count(1)
    page.keyboard.press("t")
    expect(page.locator(".log .row .time").first).not_to_be_empty()
    page.keyboard.press("f")
    expect(page.locator(".tree")).to_have_count(0)
    page.keyboard.press("f")
    expect(page.locator(".tree")).to_be_visible()


def test_what_is_copied_has_no_numbers_and_no_times(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("printf 'one\\n\\033[31mtwo\\033[0m\\nthree\\n'")
    plain_server.ended(execution)
    opened(page, plain_server, execution)
    sees(page, "three")
    page.keyboard.press("t")
    copied = page.evaluate(
        """() => {
            const rows = document.querySelectorAll('.log .row .text');
            window.getSelection().setBaseAndExtent(rows[0], 0, rows[2], rows[2].childNodes.length);
            const clipboardData = new DataTransfer();
            const event = new ClipboardEvent('copy', { bubbles: true, cancelable: true, clipboardData });
            document.querySelector('.log').dispatchEvent(event);
            return event.clipboardData.getData('text/plain');
        }"""
    )
    assert copied.split() == ["one", "two", "three"]


def test_a_range_is_copied_also_where_it_is_not_loaded(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("seq 1 20000")
    plain_server.ended(execution)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=plain_server.url)
    opened(page, plain_server, execution, "#L101-15100")
    page.get_by_role("button", name="copy 15000 lines").click()
    expect(page.locator(".gaps", has_text="15,000 lines copied")).to_be_visible()
    text = page.evaluate("() => navigator.clipboard.readText()")
    assert text.split() == [str(number) for number in range(101, 15101)]


def test_what_is_missing_is_told_with_its_counts(page: Page, tmp_path: Path) -> None:
    env = {**QUICK, "SQUALL_ACTIONRUNNER_OUTPUT_LIMIT_BYTES": "1 MiB"}
    with serving(tmp_path, tmp_path, env=env) as server:
        execution = server.shell("head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99; echo end")
        server.ended(execution)
        gaps = server.get(f"/v1/executions/{execution}/output/stats")["gaps"]
        opened(page, server, execution)
        told = f"{gaps['count']} gaps: {gaps['bytes']:,} bytes of this output are missing"
        expect(page.locator(".gaps")).to_contain_text(told)
        # And at the place where it is missing.
        page.get_by_role("button", name="show the next").click()
        expect(page.locator(".log .missing").first).to_contain_text("missing: output limit")


def test_the_history_is_filtered_by_its_url_and_live(page: Page, plain_server: Server) -> None:
    failed = plain_server.shell("exit 3")
    plain_server.ended(failed)
    page.goto(f"{plain_server.url}/executions?status=failed&action=core.local")
    expect(page.locator(f'a[href="/executions/{failed}"]')).to_be_visible()
    expect(page.locator("table.history .status.good")).to_have_count(0)
    another = plain_server.shell("exit 4")
    expect(page.locator(f'a[href="/executions/{another}"]')).to_be_visible()


def test_what_is_not_there_is_told(page: Page, plain_server: Server) -> None:
    opened(page, plain_server, "0123456789abcdef01234567")
    expect(page.get_by_role("alert")).to_contain_text("There is no such thing")
    page.goto(f"{plain_server.url}/nowhere")
    expect(page.get_by_text("There is no such page")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_keeps_the_rules_of_accessibility(page: Page, plain_server: Server, theme: str) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    execution = plain_server.shell("echo out; echo err >&2; printf '\\033[31mred\\033[0m \\033[1;34mblue\\033[0m\\n'")
    colours = (
        'for i in $(seq 0 15) 16 52 196 226 231 244; do printf "\\033[48;5;${i}mback\\033[2m dim\\033[0m\\n"; done'
    )
    coloured = plain_server.shell(colours)
    plain_server.ended(coloured)
    flow = plain_server.request("examples.flow_decide")
    plain_server.ended(execution)
    plain_server.ended(flow)
    for path, there in (
        (f"/executions/{execution}", ".log .row"),
        (f"/executions/{coloured}", ".log .row:has-text('dim')"),
        (f"/executions/{execution}?tab=details", ".details dl"),
        (f"/executions/{flow}?tab=graph", ".react-flow__node"),
        ("/executions", "table.history"),
        ("/login", "form"),
    ):
        page.goto(plain_server.url + path)
        page.locator(there).first.wait_for()
        # Evaluated by the test, beside the page's policy: the page itself loads nothing from elsewhere.
        found = page.evaluate(AXE.read_text() + ";axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
        told = [(each["id"], [node["html"][:150] for node in each["nodes"]][:3]) for each in found["violations"]]
        assert told == [], f"{path} ({theme})"


def test_where_it_is_asked_for_who_comes_logs_in_and_gets_where_they_wanted(
    page: Page, tmp_path: Path, packs: Path
) -> None:
    right = "{SHA}" + base64.b64encode(hashlib.sha1(b"right").digest()).decode()
    write(tmp_path / "data" / "htpasswd", {"ada": right})
    with serving(tmp_path, packs, "--auth", env=QUICK) as server:
        page.goto(f"{server.url}/executions?status=failed")
        page.get_by_role("heading", name="Log in").wait_for()
        page.get_by_label("User").fill("ada")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("Invalid or missing credentials")
        page.get_by_label("Password").fill("right")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("No execution fits these filters")).to_be_visible()
        assert page.url.endswith("/executions?status=failed")
        assert page.evaluate("document.cookie") == ""
        expect(page.locator("header")).to_contain_text("ada")
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in").wait_for()
        page.goto(f"{server.url}/executions")
        page.get_by_role("heading", name="Log in").wait_for()
