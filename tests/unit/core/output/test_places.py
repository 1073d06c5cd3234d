from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.output import places
from squall.core.output.places import FeedMark, LineMark, OutputMark, PageMark, TailMark

NUMBERS = st.integers(0, 10**18 - 1)
COUNTS = st.integers(0, 10**6)
TREES = st.binary(min_size=12, max_size=12).map(bytes.hex)
OUTPUTS = st.builds(OutputMark, NUMBERS, st.none() | COUNTS)
READERS: list[Callable[[str, str], Any]] = [
    places.parse_place,
    places.parse_output,
    places.parse_lines,
    places.parse_tail,
    places.parse_feed,
    places.parse_page,
]


@given(NUMBERS)
def test_a_place_in_a_journal_comes_back_from_its_token(place: int) -> None:
    assert places.parse_place(places.format_place(place), "after") == place


@given(OUTPUTS)
def test_a_place_in_an_output_comes_back_from_its_token(mark: OutputMark) -> None:
    assert places.parse_output(mark.token(), "after") == places.parse_lines(mark.token(), "after") == mark


@given(st.builds(LineMark, st.integers(0, 10**15 - 1)))
def test_a_line_comes_back_from_its_token(mark: LineMark) -> None:
    assert places.parse_lines(mark.token(), "after") == mark


@given(st.builds(TailMark, NUMBERS, NUMBERS, COUNTS))
def test_a_place_in_a_tail_comes_back_from_its_token_and_names_its_row_to_the_feed(mark: TailMark) -> None:
    assert places.parse_tail(mark.token(), "id") == mark
    assert places.parse_tail(f"{mark.stem()}7", "id") == mark._replace(sent=7)
    assert places.parse_feed(mark.token(), "id") == FeedMark(mark.row)


@given(st.builds(FeedMark, NUMBERS, st.integers(0, 1)))
def test_a_place_in_the_feed_comes_back_from_its_token(mark: FeedMark) -> None:
    assert places.parse_feed(mark.token(), "id") == mark


@given(st.builds(PageMark, NUMBERS, st.dictionaries(TREES, NUMBERS, max_size=8)))
def test_the_places_of_a_page_come_back_from_their_token(mark: PageMark) -> None:
    assert places.parse_page(mark.token(), "id") == mark


@pytest.mark.parametrize(
    ("mark", "token"),
    [
        (OutputMark(4096), "f-4096"),
        (OutputMark(4096, 0), "f-4096~0"),
        (OutputMark(4096, 1), "f-4096~1"),
        (LineMark(12), "line-12"),
        (TailMark(7, 4096), "7.f-4096"),
        (TailMark(7, 4096, 2), "7.f-4096~2"),
        (FeedMark(7), "7"),
        (FeedMark(7, 1), "7~1"),
        (PageMark(7, {"a" * 24: 4096, "b" * 24: 0}), f"7;{'a' * 24}@f-4096;{'b' * 24}@f-0"),
    ],
)
def test_tokens_that_clients_keep_stay_as_they_are(mark: OutputMark | LineMark | TailMark, token: str) -> None:
    assert mark.token() == token


@pytest.mark.parametrize("parse", READERS)
@given(st.text(max_size=40) | st.text("f-~.;@0159٣²line", max_size=12))
def test_any_text_is_a_place_or_refused_by_the_name_of_its_parameter(
    parse: Callable[[str, str], Any], text: str
) -> None:
    try:
        mark = parse(text, "after")
    except InvalidError as error:
        assert str(error).startswith(f"after: {text!r} is no")
    else:
        assert text.isascii()
        again = places.format_place(mark) if isinstance(mark, int) else mark.token()
        assert parse(again, "after") == mark


@pytest.mark.parametrize(
    "token",
    ["", "f", "f-", "f--1", "f-+1", "f-1.0", "f- 1", "n-1", "F-1", "f-1-2", "f-٣", "f-²", "f-" + "9" * 19, "f-1\n",
     "f-1~", "f-1~x", "f-1~-1", "f-1~²", "f-1~1~1", "~1", "line", "line-", "line-x", "line-1~1", "line-²",
     "7.", "7.f", "x.f-1", "-1.f-1", "7.f-x", "7.n-1", "7.f-1~", "7.f-1~x", "7.f-1~-1", "٣.f-1", "7.f-1~²",
     "7~", "7~2", "7~1~1", "-7", "٣", "²", "9" * 19, ".f-1", "7;", f"7;{'a' * 24}", f"7;{'A' * 24}@f-1",
     f"7;{'a' * 23}@f-1", f"7;{'a' * 24}@f-٣", f"7;{'a' * 24}@f-1;", f";{'a' * 24}@f-1"],
)  # fmt: skip
def test_what_is_no_token_is_refused_by_all_who_read_one(token: str) -> None:
    for parse in READERS:
        with pytest.raises(InvalidError, match=r"^after: "):
            parse(token, "after")
