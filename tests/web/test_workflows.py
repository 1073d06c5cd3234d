"""Workflows on the page: long graphs, and why one has failed."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

TASKS = 300
FILES = {
    "pack.yaml": "ref: long\nname: long\nversion: 1.0.0\nauthor: a\nemail: a@example.com\ndescription: long\n",
    "actions/line.yaml": "name: line\nenabled: true\nrunner_type: orquesta\nentry_point: workflows/line.yaml\n",
    "actions/workflows/line.yaml": "version: 1.0\ntasks:\n"
    + "".join(
        f"  step{number}:\n    action: core.noop\n"
        + (f"    next:\n      - do: step{number + 1}\n" if number < TASKS else "")
        for number in range(1, TASKS + 1)
    ),
}


def test_a_graph_of_300_tasks_in_a_line_opens_at_its_start_and_follows_the_tree(page: Page, tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    for name, text in FILES.items():
        path = packs / "long" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with serving(tmp_path, packs, env=QUICK) as server:
        execution = server.request("long.line")
        # Whatever has begun by now is enough.
        page.goto(f"{server.url}/executions/{execution}?tab=graph")
        first = page.locator(".react-flow__node:has(b:text-is('step1'))")
        expect(first).to_be_visible()
        box, screen = first.bounding_box(), page.locator(".react-flow").bounding_box()
        assert box is not None
        assert screen is not None
        assert box["width"] > 100
        assert screen["y"] <= box["y"] < screen["y"] + screen["height"] / 2
        assert page.locator(".react-flow__node").count() < 20


def test_a_failed_command_says_why(page: Page, plain_server: Server) -> None:
    execution = plain_server.shell("echo out; echo the disk is full >&2; echo more >&2; exit 3")
    plain_server.ended(execution)
    page.goto(f"{plain_server.url}/executions/{execution}")
    expect(page.get_by_label("Why it failed")).to_have_text("exit code 3: the disk is full")


def test_a_failed_workflow_names_the_task_and_leads_to_it(page: Page, plain_server: Server) -> None:
    execution = plain_server.request("examples.flow_errors", code=3)
    plain_server.ended(execution)
    page.goto(f"{plain_server.url}/executions/{execution}")
    expect(page.get_by_label("Why it failed")).to_have_text("risky exit code 3")
    page.get_by_label("Why it failed").get_by_role("link", name="risky").click()
    children = plain_server.get(f"/v1/executions/{execution}/children")
    risky = [each["id"] for each in children if each["context"]["orquesta"]["task_name"] == "risky"]
    expect(page).to_have_url(f"{plain_server.url}/executions/{execution}?show={risky[-1]}")
    expect(page.get_by_label("Why it failed")).to_have_text("exit code 3")
