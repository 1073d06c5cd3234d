"""The tree of a workflow's tasks: what it shows of what it has been told, and how it is painted."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from squall.cli.output.livetree import LiveScreen, TaskTree
from squall.cli.terminal.table import cell_width
from squall.client.follow import Chunk, StatusChange

PATHS = {"root": "", "deploy": "deploy", "web1": "deploy/restart[0]", "web2": "deploy/restart[1]", "check": "check"}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tree(clock: Clock) -> TaskTree:
    return TaskTree(PATHS.__getitem__, clock)


def asked(tree: TaskTree, execution: str, task: str, **more: object) -> None:
    tree.note(execution, {"event": "task_requested", "task": task, **more})


def over(tree: TaskTree, execution: str, task: str, status: str = "succeeded") -> None:
    tree.note(execution, {"event": "task_ended", "task": task, "status": status})


def printed(tree: TaskTree, execution: str, text: str) -> None:
    tree.output(Chunk("stdout", text.encode(), "", "", execution))


def test_tasks_stand_below_their_workflow_with_state_time_and_last_line(tree: TaskTree, clock: Clock) -> None:
    asked(tree, "root", "deploy")
    asked(tree, "root", "check")
    asked(tree, "deploy", "restart", items=2)
    clock.now += 2.5
    printed(tree, "web2", "stopping\nstart")
    over(tree, "root", "check", "failed")
    assert tree.lines(80, 24) == [
        "● deploy  2.5 s",
        "  ● restart  2 items  2.5 s  start",
        "✘ check  2.5 s",
        "── deploy/restart ──",
        "  stopping",
    ]
    printed(tree, "web2", "ing\n")
    clock.now += 1
    assert tree.lines(80, 24)[1] == "  ● restart  2 items  3.5 s  starting"
    assert tree.lines(80, 24)[-1] == "  starting"
    assert tree.lines(80, 24)[2] == "✘ check  2.5 s"


def test_a_task_that_waits_or_was_tried_again_says_so(tree: TaskTree) -> None:
    tree.note("root", {"event": "task_waiting", "task": "check"})
    asked(tree, "root", "deploy")
    tree.note("root", {"event": "task_retried", "task": "deploy", "attempt": 1})
    assert [line.split("  ")[:2] for line in tree.lines(80, 24)] == [
        ["○ check", "waits for other tasks"],
        ["● deploy", "tried 2 times"],
    ]


def test_what_a_task_prints_is_never_more_than_the_terminal_takes(tree: TaskTree) -> None:
    for number in range(50):
        PATHS[f"e{number}"] = f"t{number}"
        asked(tree, "root", f"t{number}")
        if number not in (3, 40):
            over(tree, "root", f"t{number}")
    printed(tree, "e40", "\x1b[2Jevil\tlong " * 20 + "\n" + "line\n" * 30)
    lines = tree.lines(40, 12)
    assert len(lines) <= 12
    assert all(len(line) < 40 and line.isprintable() for line in lines)
    shown = "\n".join(lines)
    assert "● t3 " in shown and "● t40 " in shown
    assert "more tasks" in shown


def test_the_end_shows_every_task_and_the_last_words_of_those_that_failed(tree: TaskTree) -> None:
    asked(tree, "root", "deploy")
    printed(tree, "deploy", "one\ntwo\n")
    over(tree, "root", "deploy", "timeout")
    asked(tree, "root", "check")
    printed(tree, "check", "fine\n")
    over(tree, "root", "check")
    assert tree.final(80) == ["✘ deploy  0.00 s", "    one", "    two", "✔ check  0.00 s"]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    mine, theirs = pty.openpty()
    yield mine, theirs
    os.close(mine)
    os.close(theirs)


def test_a_tree_is_painted_in_its_place_and_other_lines_come_above_it(terminal: tuple[int, int]) -> None:
    mine, theirs = terminal
    screen = LiveScreen(theirs, theirs, {"NO_COLOR": "1"})
    screen.paint(["a", "b"])
    screen.paint(["c"])
    screen.tell("told")
    screen.paint(["d"])
    seen = b""
    while not seen.endswith(b"\x1b[Jd\r\n"):
        seen += os.read(mine, 4096)
    assert seen.replace(b"\r\n", b"\n") == b"\x1b[Ja\nb\n\x1b[2F\x1b[Jc\n\x1b[1F\x1b[Jtold\n\x1b[Jd\n"


def test_what_a_task_prints_before_its_workflow_tells_of_it_is_shown_in_its_row(tree: TaskTree) -> None:
    printed(tree, "check", "line\nContinue? [y/n] ")
    asked(tree, "root", "check")
    assert tree.lines(80, 24) == ["● check  0.00 s  Continue? [y/n] ", "── check ──", "  line"]


def test_the_header_counts_tasks_and_items_and_the_time(tree: TaskTree, clock: Clock) -> None:
    asked(tree, "root", "deploy", items=300)
    asked(tree, "root", "check")
    assert tree.header(80) == "0/301 done, 0:00"
    over(tree, "root", "check", "failed")
    clock.now += 62
    assert tree.header(80) == "1/301 done, 1 failed, 1:02"
    over(tree, "root", "deploy")
    clock.now += 3600
    assert tree.header(80) == "301/301 done, 1 failed, 1:01:02"
    assert tree.header(12) == "301/301 do…"


def items(tree: TaskTree, parent: str, path: str, statuses: list[str], tag: str = "") -> None:
    for item, status in enumerate(statuses):
        execution = f"{parent}{tag}:{item}"
        PATHS[execution] = f"{path}[{item}]"
        tree.status(StatusChange(execution, status, parent, path.rpartition("/")[2], item))


def test_the_header_counts_each_item_when_it_ends(tree: TaskTree) -> None:
    asked(tree, "root", "deploy", items=4)
    items(tree, "root", "deploy", ["succeeded", "running", "timeout"])
    items(tree, "root", "deploy", ["succeeded"])
    assert tree.header(80) == "2/4 done, 1 failed, 0:00"
    items(tree, "root", "deploy", ["succeeded", "canceled"])
    assert tree.header(80) == "3/4 done, 1 failed, 0:00"
    tree.note("root", {"event": "item_refused", "task": "deploy", "item": 3})
    assert tree.header(80) == "4/4 done, 2 failed, 0:00"
    over(tree, "root", "deploy", "failed")
    assert tree.header(80) == "4/4 done, 2 failed, 0:00"


def test_items_that_end_before_the_message_about_their_task_count(tree: TaskTree) -> None:
    items(tree, "root", "deploy", ["succeeded"])
    asked(tree, "root", "deploy", items=3)
    assert tree.header(80) == "1/3 done, 0:00"


@pytest.mark.parametrize("event", ["task_retried", "task_ended"])
def test_items_that_run_again_count_again(tree: TaskTree, event: str) -> None:
    asked(tree, "root", "deploy", items=2)
    items(tree, "root", "deploy", ["succeeded", "failed"])
    tree.note("root", {"event": event, "task": "deploy", "status": "failed"})
    asked(tree, "root", "deploy", items=2)
    assert tree.header(80) == "0/2 done, 0:00"
    items(tree, "root", "deploy", ["succeeded"], tag="again")
    assert tree.header(80) == "1/2 done, 0:00"


def test_a_workflow_that_runs_for_each_item_counts_the_items_of_each(tree: TaskTree) -> None:
    asked(tree, "root", "deploy", items=2)
    for parent in ("one", "two"):
        PATHS[parent] = "deploy[0]"
        asked(tree, parent, "restart", items=5)
        items(tree, parent, "deploy/restart", ["succeeded"] * 3)
    assert tree.header(80) == "6/12 done, 0:00"
    over(tree, "one", "restart", "failed")
    assert tree.header(80) == "8/12 done, 1 failed, 0:00"


def test_the_status_of_a_task_without_items_and_of_the_root_counts_nothing(tree: TaskTree) -> None:
    asked(tree, "root", "check")
    tree.status(StatusChange("check", "failed", "root", "check"))
    tree.status(StatusChange("root", "failed", "above", "top", 3))
    assert tree.header(80) == "0/1 done, 0:00"


def test_wide_letters_do_not_wrap_a_row(tree: TaskTree) -> None:
    asked(tree, "root", "check")
    printed(tree, "check", "日本語" * 30 + "\n")
    assert max(cell_width(line) for line in tree.lines(40, 24)) < 40


def seen_until(mine: int, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end):
        seen += os.read(mine, 4096)
    return seen


def test_a_narrower_terminal_is_cleared_from_where_the_painting_began(terminal: tuple[int, int]) -> None:
    mine, theirs = terminal
    termios.tcsetwinsize(theirs, (24, 80))
    screen = LiveScreen(theirs, theirs, {"NO_COLOR": "1"})
    screen.paint(["x" * 70, "y"])
    termios.tcsetwinsize(theirs, (24, 30))
    screen.paint(["z"])
    assert seen_until(mine, b"z\r\n").endswith(b"\x1b[4F\x1b[Jz\r\n")


def test_states_have_colours_if_there_are_colours(terminal: tuple[int, int]) -> None:
    mine, theirs = terminal
    LiveScreen(theirs, theirs, {}).paint(["1/2 done, 0:01", "  ✔ a", "✘ b", "plain"])
    painted = seen_until(mine, b"plain\r\n").decode()
    assert painted.split("\r\n")[:3] == [
        "\x1b[J\x1b[1m1/2 done, 0:01\x1b[0m", "  \x1b[32m✔\x1b[0m a", "\x1b[31m✘ b\x1b[0m",
    ]  # fmt: skip
