"""YAML from people: whatever it is, reading it ends, and does not end the process."""

from __future__ import annotations

import pytest

from squall.core.safe_yaml import LOADER, load_yaml


def test_ordinary_text_is_read_as_yaml() -> None:
    assert load_yaml("a: [1, {b: c}]\nd: &x {e: 1}\nf: *x\n") == {"a": [1, {"b": "c"}], "d": {"e": 1}, "f": {"e": 1}}
    assert load_yaml(b"") is None
    assert load_yaml("a: " + "word " * 500) == {"a": ("word " * 500).strip()}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_text_that_nests_without_end_is_told(opening: str) -> None:
    with pytest.raises(ValueError, match="nests more than 200 times"):
        load_yaml(opening * 100_000)
    closing = {"[": "]", "{a: ": "}"}.get(opening, "")
    assert load_yaml(opening * 50 + "x" + closing * 50)


def test_text_that_nests_by_its_lines_is_told() -> None:
    with pytest.raises(ValueError, match="nests more than 200 times"):
        load_yaml("".join(f"{' ' * depth}a:\n" for depth in range(5000)))


def test_references_that_grow_or_turn_round_are_told() -> None:
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for level in "bcdefg":
        bomb += f"{level}: &{level} [{', '.join([f'*{chr(ord(level) - 1)}'] * 10)}]\n"
    with pytest.raises(ValueError, match="more than 200000 values"):
        load_yaml(bomb)
    with pytest.raises(ValueError, match="refers to itself"):
        load_yaml("&a [*a]")


def _merges(levels: int) -> str:
    """A text of mappings that each merge ten times the one before."""
    lines = ["m0: &m0 {a: 1}"]
    for level in range(1, levels + 1):
        lines.append(f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 10)}]}}")
    return "\n".join(lines)


@pytest.fixture
def no_building(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that composes or builds a document."""

    def build(*_: object) -> None:
        pytest.fail("a document is built before its size is known")

    monkeypatch.setattr(LOADER, "get_single_data", build)
    monkeypatch.setattr(LOADER, "get_single_node", build)


BOMBS = {
    "merges": _merges(11),
    "block_merges": _merges(7).replace("{<<: [", "\n  <<: [").replace("]}", "]"),
    "merges_of_one": "a: &a {x: 1}\n" + "".join(f"b{n}: {{<<: *a, y: *a}}\n" for n in range(60_000)),
    "utf16": _merges(11).encode("utf-16"),
    "aliases": "".join(f"- &a{n} [{', '.join([f'*a{n - 1}' if n else '1'] * 9)}]\n" for n in range(8)),
    "values": "- a\n" * 300_000,
}


@pytest.mark.usefixtures("no_building")
@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_what_grows_is_refused_before_it_is_built(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"more than 200000 values"):
        load_yaml(text)


@pytest.mark.parametrize("text", ["&a [*a]", "&a {<<: *a}", "a: &a {b: {<<: [*a]}}", "a: &a [{b: *a}]"])
def test_what_contains_itself_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="refers to itself"):
        load_yaml(text)


def test_merges_of_ordinary_size_are_followed() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: &more {<<: *base, b: 3}\nall: {<<: [*more, *base], c: 4}\n"
    assert load_yaml(text)["all"] == {"a": 1, "b": 3, "c": 4}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" + ":1" * 50_000, "more than 1000 digits"),
        ("-" + "9" * 2000, "more than 1000 digits"),
        ("".join(f"{n * (2**61 - 1)}: 1\n" for n in range(20, 2000)), "is a number with more than 20 digits"),
        ("".join(f"%TAG !a{n}! x\n" for n in range(5000)) + "--- 1", "more than 100 %TAG directives"),
        ("".join(f"%TAG !a{n}! x\n" for n in range(5000)).encode("utf-16") + "--- 1".encode("utf-16-le"), "%TAG"),
    ],
)
def test_texts_whose_cost_is_quadratic_are_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_yaml(text)
    assert load_yaml("1234567890123456789: [190:20:30, 0x1F, 1_000]") == {1234567890123456789: [685230, 31, 1000]}


@pytest.mark.parametrize(
    "value", ["!!timestamp soon", "!!int ''", "!!int _", "!!bool maybe", "!!float x", "1" + ":1" * 300 + ".5"]
)
def test_a_value_that_does_not_fit_its_tag_is_told(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_yaml(f"a: {value}")
