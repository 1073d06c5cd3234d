from __future__ import annotations

import pytest

from squall.api.http.pages import Page, attributes, ordered, page, sort_keys
from squall.api.http.wire import Query
from squall.core.errors import InvalidError

KNOWN = frozenset({"id", "action", "result"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Page(100, 0)),
        ("limit=5&offset=3", Page(5, 3)),
        ("limit=-1", Page(None, 0)),
        ("limit=&offset=", Page(100, 0)),
    ],
)
def test_pages(query: str, expected: Page) -> None:
    assert page(Query(query.encode()), 100) == expected


@pytest.mark.parametrize("query", ["limit=0", "limit=-2", "offset=-1", "offset=2147483648", "limit=x", "offset=1.5"])
def test_pages_that_do_not_exist(query: str) -> None:
    with pytest.raises(InvalidError, match=r"(?i)limit|offset"):
        page(Query(query.encode()), None)


def test_headers_tell_the_total_and_whether_it_was_capped() -> None:
    assert Page(5, 0).headers(7) == {"X-Total-Count": "7", "X-Limit": "5"}
    assert Page(None, 0).headers(7) == {"X-Total-Count": "7"}
    assert Page(None, 0).headers(10, 10) == {"X-Total-Count": "10", "X-Total-Count-Capped": "true"}


def test_attributes_that_are_wanted() -> None:
    asked = attributes(Query(b"include_attributes=action.ref,id,id"), KNOWN)
    assert (asked.selects("action"), asked.selects("result"), asked.selects("id")) == (True, False, True)
    assert not attributes(Query(b"exclude_attributes=result"), KNOWN).selects("result")
    assert attributes(Query(b""), KNOWN).selects("result")


@pytest.mark.parametrize(
    "query",
    ["include_attributes=bogus", "include_attributes=bogus.action", "exclude_attributes=bogus",
     "include_attributes=id&exclude_attributes=result"],
)  # fmt: skip
def test_attributes_that_cannot_be_asked_for(query: str) -> None:
    with pytest.raises(InvalidError):
        attributes(Query(query.encode()), KNOWN)


def test_only_some_may_be_left_out() -> None:
    assert attributes(Query(b"exclude_attributes=result"), KNOWN, frozenset({"result"})).exclude == ["result"]
    with pytest.raises(InvalidError):
        attributes(Query(b"exclude_attributes=action"), KNOWN, frozenset({"result"}))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", []),
        (b"sort=name", [("name", False)]),
        (b"sort=-name,ref", [("name", True), ("ref", False)]),
        (b"sort=+name", [("name", False)]),
        (b"sort=%2Bname", [("name", False)]),
        (b"sort=bogus,-ref", [("ref", True)]),
        (b"sort=name,-name", [("name", False)]),
        (b"sort=", []),
    ],
)
def test_an_order_is_of_known_names_only(query: bytes, expected: list[tuple[str, bool]]) -> None:
    assert sort_keys(Query(query), ("name", "ref")) == expected


def test_items_are_ordered_by_the_first_name_and_keep_their_order_where_it_leaves_it_open() -> None:
    items = ["b2", "a1", "b1", "a2"]
    assert ordered(items, Query(b"sort=-letter"), ("letter",), lambda item, _: item[0]) == ["b2", "b1", "a1", "a2"]
    assert ordered(items, Query(b""), ("letter",), lambda item, _: item[0]) == items
