"""Which bytes a `Range` header asks for."""

from __future__ import annotations

import pytest

from squall.api.output.ranges import Span, span_of


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=90-", 90, 99), ("bytes=-5", 95, 99), ("bytes=-500", 0, 99), ("bytes=007-9", 7, 9)],
)
def test_a_span_lies_within_the_output(header: str, first: int, last: int) -> None:
    assert span_of(header, 100) == Span(first, last, 100)


@pytest.mark.parametrize(
    "header", ["bytes=-", "bytes=9-5", "bytes=0-1,5-6", "lines=0-1", "bytes=a-", "bytes=\u0663-", ""]
)
def test_a_header_that_names_no_single_span_is_ignored(header: str) -> None:
    assert span_of(header, 100) is None


def test_a_number_may_have_more_digits_than_python_reads() -> None:
    many = "9" * 5000
    assert span_of(f"bytes=5-{many}", 100) == Span(5, 99, 100)
    assert span_of(f"bytes=-{many}", 100) == Span(0, 99, 100)
    beyond = span_of(f"bytes={many}-", 100)
    assert beyond is not None
    assert beyond.first > beyond.last
    assert span_of(f"bytes={'0' * 5000}5-", 100) == Span(5, 99, 100)
