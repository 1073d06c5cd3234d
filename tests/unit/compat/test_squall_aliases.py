"""Lines of a chat give the parameters that StackStorm's parser of aliases gives."""

from __future__ import annotations

import importlib
import unittest
from typing import Any

import pytest


def extract(format_string: str, command: str) -> Any:
    return importlib.import_module("squall_aliases").extract(format_string, command)


@pytest.mark.parametrize(
    ("format_string", "command", "values"),
    [
        ("roof {{state}} {{percent=0}}", "roof vent percent=10", {"state": "vent", "percent": "10"}),
        ("roof {{state}} {{percent=0}}", "roof vent 30", {"state": "vent", "percent": "30"}),
        ("roof {{state}} {{percent=0}}", "roof vent", {"state": "vent", "percent": "0"}),
        ("run {{cmd}} on {{hosts}}", 'run "uname -a" on h1,h2', {"cmd": "uname -a", "hosts": "h1,h2"}),
        ("run {{cmd}} on {{hosts}}", "  run date on h1\nh2  ", {"cmd": "date", "hosts": "h1\nh2"}),
        ("run {{cmd}} on {{hosts}}", "Run date on h1", None),
        ("run {{cmd}} on {{hosts}}", "please run date on h1", None),
        ("(please )?run {{cmd}}", "please run it", {"cmd": "it"}),
        ("^run {{cmd}}$", "run it", None),
        ("(run|^do) {{cmd}}", "run it", None),
        ("greet {{greeting}}", "greet a=b", None),
        ("greet {{greeting}}", "greet", None),
        ("greet {{greeting}}", 'greet ""', {"greeting": '"'}),
        ("greet {{greeting}}", "greet 'a b' x='c d' y={\"k\": 1}", {"greeting": "a b", "x": "c d", "y": '{"k": 1}'}),
        ("list {{ limit = 10 }} rules", "list rules pack=core", {"limit": "10", "pack": "core"}),
        ("set {{ a = \"x y\" }} {{ b = {'k': 1} }}", "set", {"a": "x y", "b": "{'k': 1}"}),
        ("set {{ a = '' }}", "set", {"a": ""}),
        ("set {{ a }}", "set 1 a=2", {"a": "2"}),
        (
            "respond to {{id}} with {{response}}",
            'respond to 5 with {"go": [1]}',
            {"id": "5", "response": '{"go": [1]}'},
        ),
        ("beep-beep!!", "beep-beep!!", {}),
        ("honk (?P<vin>[A-Z0-9]+)!!", "honk 5YJ!!", {"vin": "5YJ"}),
        ("honk( at (?P<who>\\w+))?", "honk", {"who": None}),
    ],
)
def test_a_line_gives(format_string: str, command: str, values: Any) -> None:
    assert extract(format_string, command) == values


def test_a_format_that_matches_several_times_gives_each() -> None:
    every = importlib.import_module("squall_aliases").extract_all
    assert every(r"(^|\s)issue {{key}}(\s|$)", "see issue A-1 and issue B-2") == [{"key": "A-1"}, {"key": "B-2"}]
    assert every("issue {{key}}", "see A-1") == []


def test_assertions_of_packs_use_it() -> None:
    base = importlib.import_module("st2tests.base")

    class Case(base.BaseActionAliasTestCase):  # type: ignore[misc, name-defined]
        def setUp(self) -> None:
            """There is no alias to read."""

        def runTest(self) -> None:
            self.assertExtractedParametersMatch("roof {{s}} {{p=0}}", "roof up p=1", {"s": "up", "p": "1"})
            self.assertExtractedParametersMatch("go", "go", {})
            self.assertCommandMatchesExactlyOneFormatString(["go {{a}}", "stop {{a}}"], "go on")
            for wrong in (
                ("Go {{a}}", "go on", {"a": "on"}),
                ("go {{a}}", "go on", {"a": "off"}),
                ("{{a}}{{a}}", "x", {}),
            ):
                with self.assertRaises(AssertionError):
                    self.assertExtractedParametersMatch(*wrong)

    result = unittest.TestResult()
    Case().run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
