from __future__ import annotations

import json

from squall.api.output.forms.frames import event_frame
from squall.api.output.tails import patterns_of
from squall.core.event.events import DEFAULT_PATTERNS


def test_a_frame_is_one_event_on_one_line() -> None:
    name, data, *rest = event_frame("some.event", {"text": "a\nb"}).decode().split("\n")
    assert (name, rest) == ("event: some.event", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {"text": "a\nb"}


def test_without_names_the_default_is_asked_for_which_has_no_output() -> None:
    assert patterns_of(None) == patterns_of([]) == DEFAULT_PATTERNS
    assert patterns_of(["a*"]) == ("a*",)
    assert not any("output" in pattern for pattern in DEFAULT_PATTERNS)
