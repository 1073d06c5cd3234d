from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.event.schedules.fire import SECOND
from squall.core.event.schedules.lateness import MISFIRE, OVERLAP, Policy, at_overlap, delay, parse_policy


def test_a_timer_without_a_policy_runs_the_last_missed_fire_of_an_hour_and_overlaps() -> None:
    assert parse_policy({"hour": 3}) == Policy(misfire="once", window=3_600 * SECOND, overlap="allow", jitter=0)


@pytest.mark.parametrize(
    ("span", "seconds"),
    [(0, 0), (90, 90), ("90", 90), ("90s", 90), ("5m", 300), (" 2 h ", 7_200), ("366d", 31_622_400)],
)
def test_spans_are_seconds_or_have_a_unit(span: object, seconds: int) -> None:
    policy = parse_policy({"misfire_window": span, "jitter": span})
    assert policy.window == policy.jitter == seconds * SECOND


def test_all_choices_are_read() -> None:
    assert [parse_policy({"misfire": each}).misfire for each in MISFIRE] == ["skip", "once", "all"]
    assert [parse_policy({"overlap": each}).overlap for each in OVERLAP] == [
        "allow", "skip", "buffer_one", "buffer_all", "cancel_other",
    ]  # fmt: skip
    assert parse_policy({"misfire_most": 1000}).most == 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("misfire", "twice"), ("misfire", 1), ("misfire", []), ("overlap", "cancel"), ("misfire_window", "1y"),
        ("misfire_window", -1), ("misfire_window", True), ("misfire_window", 10**5000), ("misfire_window", "367d"),
        ("misfire_window", 1.5), ("jitter", "soon"), ("misfire_most", 0), ("misfire_most", 1001), ("misfire_most", "5"),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_wrong_policy_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(InvalidError) as error:
        parse_policy({field: value})
    assert str(error.value).startswith(f"{field}: ")
    assert "Use " in str(error.value)


@given(nominal=st.integers(0, 10**17), jitter=st.integers(0, 10**12), name=st.text())
def test_a_delay_is_the_same_each_time_and_at_most_the_jitter(nominal: int, jitter: int, name: str) -> None:
    policy = Policy(jitter=jitter)
    assert 0 <= delay(name, nominal, policy) <= jitter
    assert delay(name, nominal, policy) == delay(name, nominal, policy)


def test_delays_differ_between_timers_and_between_fires() -> None:
    policy = Policy(jitter=3_600 * SECOND)
    delays = {delay(name, nominal * SECOND, policy) for name in ("a", "b") for nominal in range(100)}
    assert len(delays) == 200
    assert max(delays) - min(delays) > 1_800 * SECOND


@pytest.mark.parametrize(
    ("overlap", "decisions"),
    [
        # With nothing, one running, and one running while one waits.
        ("allow", ["start", "start", "start"]),
        ("skip", ["start", "skip", "skip"]),
        ("buffer_one", ["start", "wait", "skip"]),
        ("buffer_all", ["start", "wait", "wait"]),
        ("cancel_other", ["start", "cancel", "cancel"]),
    ],
)
def test_the_overlap_policy_decides_about_a_fire_while_others_run(overlap: str, decisions: list[str]) -> None:
    policy = Policy(overlap=overlap)
    assert [at_overlap(policy, running, waiting) for running, waiting in ((0, 0), (1, 0), (1, 1))] == decisions
