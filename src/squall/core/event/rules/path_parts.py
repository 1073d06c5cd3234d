"""The parts of a path: each yields its matches within a document, in order, one by one.

They match as those of jsonpath-rw do, which StackStorm's rules use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from squall.core.content.keyvalue import KeyNames
from squall.core.expr.bounds.evaluator import NeedsProcess

MOST_STEPS = 1_000_000
"""The steps that the criteria of one rule may take on one event."""

BRIEF_STEPS = 10_000
"""The steps that the criteria of one rule may take on the event loop."""


class StepsError(Exception):
    """The criteria of a rule take too many steps on one event."""


class Steps:
    """Counts the steps that the criteria of one rule take on one event. If it `is_brief`, they may take only some
    milliseconds here."""

    __slots__ = ("_is_brief", "_left")

    def __init__(self, most: int = MOST_STEPS, *, is_brief: bool = False) -> None:
        self._is_brief = is_brief
        self._left = min(most, BRIEF_STEPS) if is_brief else most

    def spend(self, steps: int) -> None:
        """Counts steps. Raises `StepsError` if there were too many, `NeedsProcess` if there are too many for here."""
        self._left -= steps
        if self._left < 0:
            if self._is_brief:
                raise NeedsProcess("the criteria of a rule")
            raise StepsError(f"the criteria of the rule look at more than {MOST_STEPS} values of this event")

    def spend_on(self, value: Any) -> None:
        """Counts the parts of a value that an operator compares: 256 characters of a text are one step. Raises
        `StepsError`."""
        if isinstance(value, str):
            self.spend(len(value) >> 8)
        waiting = [value] if isinstance(value, dict | list) else []
        while waiting:
            whole = waiting.pop()
            self.spend(1 + len(whole))
            for part in whole.values() if isinstance(whole, dict) else whole:
                if isinstance(part, dict | list):
                    waiting.append(part)
                elif isinstance(part, str) and len(part) > 255:
                    self.spend(len(part) >> 8)


class Place(NamedTuple):
    """A value within a document, and the place that contains it (None for the document)."""

    value: Any
    parent: Place | None


Finder = Callable[[Place, Steps], Iterator[Place]]
"""A part of a path: yields its matches at a place, in order."""


def child(left: Finder, right: Finder) -> Finder:
    """Returns the part `left.right`."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        for inner in left(place, steps):
            yield from right(inner, steps)

    return find


def descendants(left: Finder, right: Finder) -> Finder:
    """Returns the part `left..right`: `right` in the matches of `left`, and in all values within them, each before its
    own parts.

    It is no recursion, because payloads may be deep.
    """

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        for start in left(place, steps):
            waiting = [iter((start,))]
            while waiting:
                inner = next(waiting[-1], None)
                if inner is None:
                    waiting.pop()
                    continue
                steps.spend(1)
                yield from right(inner, steps)
                waiting.append(_parts(inner))

    return find


def _parts(place: Place) -> Iterator[Place]:
    value = place.value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (Place(part, place) for part in inner)


def union(left: Finder, right: Finder) -> Finder:
    """Returns the part `left|right`: the matches of both, one after the other."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        yield from left(place, steps)
        yield from right(place, steps)

    return find


def where(left: Finder, right: Finder) -> Finder:
    """Returns the part `left where right`: the matches of `left` in which `right` matches."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        for inner in left(place, steps):
            if next(right(inner, steps), None) is not None:
                yield inner

    return find


def fields(names: tuple[str, ...]) -> Finder:
    """Returns the part that matches these keys of an object."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        steps.spend(len(names))
        value = place.value
        for name in names:
            if (isinstance(value, dict) and name in value) or isinstance(value, KeyNames):
                yield Place(value[name], place)

    return find


def number(text: str) -> Finder:
    """Returns the part that is a number between dots: the key of an object, or an index of a list."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        steps.spend(1)
        value = place.value
        if isinstance(value, dict):
            if text in value:
                yield Place(value[text], place)
        elif isinstance(value, list) and len(text) <= 10 and -len(value) <= int(text) < len(value):
            yield Place(value[int(text)], place)

    return find


def index(at: int) -> Finder:
    """Returns the part `[at]`: an element of a list, or a character of a text."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        steps.spend(1)
        value = place.value
        if isinstance(value, list | str) and -len(value) <= at < len(value):
            yield Place(value[at], place)

    return find


def elements(start: int | None, stop: int | None) -> Finder:
    """Returns the part `[start:stop]`, or `[*]`. As in StackStorm, a value that is no list counts as a list of one."""

    def find(place: Place, steps: Steps) -> Iterator[Place]:
        value = place.value
        items: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
        steps.spend(len(items) >> 4)
        for part in items[start:stop]:
            steps.spend(1)
            yield Place(part, place)

    return find


def every(place: Place, steps: Steps) -> Iterator[Place]:
    """`*`: all values of an object. Lists have `[*]`."""
    for part in place.value.values() if isinstance(place.value, dict) else ():
        steps.spend(1)
        yield Place(part, place)


def root(place: Place, steps: Steps) -> Iterator[Place]:
    """`$`: the whole document."""
    while place.parent is not None:
        steps.spend(1)
        place = place.parent
    yield place


def this(place: Place, _steps: Steps) -> Iterator[Place]:
    """The place itself."""
    yield place


def parent(place: Place, _steps: Steps) -> Iterator[Place]:
    """The place that contains this one."""
    if place.parent is not None:
        yield place.parent


OPERATORS: dict[str, Finder] = {"this": this, "parent": parent}
"""The parts that stand in backquotes, by name."""
