"""How long executions are kept."""

from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.execution.retention import DAY, Finished, Selection, Terms, check_statuses, expired, parse_rules
from squall.testing.samples import sample_id


def finished(
    number: int, action: str, status: str, days_ago: float, now: int = 1000 * DAY, stored: int = 0
) -> Finished:
    end = now - int(days_ago * DAY)
    return Finished(sample_id(number), action, status, end - 5, end, stored)


def test_the_first_rule_that_fits_counts() -> None:
    terms = Terms(30, parse_rules("action=core.http status=failed,timeout days=60; pack=core days=1;pack=audit days=0"))
    assert terms.days_of("core.http", "failed") == 60
    assert terms.days_of("core.http", "succeeded") == 1
    assert terms.days_of("audit.note", "failed") == 0
    assert terms.days_of("other.thing", "failed") == 30
    assert terms.shortest == 1


def test_what_is_kept_for_ever_never_expires() -> None:
    assert Terms(0).shortest == 0
    assert expired(Terms(0), [finished(1, "a.b", "failed", 900)], 1000 * DAY) == []


def test_exactly_what_is_older_expires() -> None:
    now = 1000 * DAY
    found = [finished(1, "a.b", "failed", 29.9), finished(2, "a.b", "failed", 30), finished(3, "a.b", "failed", 30.1)]
    assert expired(Terms(30), found, now) == [found[2]]


def test_a_selection_takes_what_fits_in_every_way() -> None:
    now = 1000 * DAY
    wanted = Selection(before=now - DAY, packs=frozenset({"a"}), statuses=frozenset({"failed"}), larger=100)
    assert wanted.fits(finished(1, "a.b", "failed", 2, stored=100))
    for other in (
        finished(1, "a.b", "failed", 0.5, stored=100),
        finished(1, "ab.b", "failed", 2, stored=100),
        finished(1, "a.b", "succeeded", 2, stored=100),
        finished(1, "a.b", "failed", 2, stored=99),
    ):
        assert not wanted.fits(other)


def test_no_rules_are_fine() -> None:
    assert parse_rules("") == parse_rules(" ; ;") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pack=a", "days"),
        ("days=3", "at least one of"),
        ("pack=a days=-1", "days=-1"),
        ("pack=a days=soon", "days=soon"),
        ("pack=a days=nan", "days=nan"),
        ("pack=a status=running days=1", "running"),
        ("pack=a pack=b days=1", "pack=b"),
        ("user=a days=1", "user=a"),
        ("pack= days=1", "pack="),
        ("pack a days=1", "pack"),
    ],
)
def test_a_mistake_in_a_rule_is_told(text: str, says: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_rules(text)
    assert says in str(caught.value)


def test_what_has_not_ended_cannot_be_named() -> None:
    with pytest.raises(InvalidError, match="running"):
        check_statuses(frozenset({"failed", "running"}))
