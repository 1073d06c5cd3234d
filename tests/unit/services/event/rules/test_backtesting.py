"""Backtests of rules over stored events."""

from __future__ import annotations

import msgspec
import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.explaining import Explainers, rule_body
from tests.doubles.gated import Gated

from squall.core.event.rules.reading import make_rule
from squall.ports import Tx
from squall.services.event.rules.backtesting import EXAMPLES, Report, Span

pytestmark = pytest.mark.anyio


def counts(report: Report) -> tuple[int, int, int, int, int]:
    return report.evaluated, report.would_fire, report.would_start, report.would_stop, report.unchanged


async def test_an_edited_rule_is_compared_with_the_stored_one(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r")
    for n in range(10):
        await use.event(n=n)
    edited = make_rule(rule_body("r", criteria={"trigger.n": {"type": "lt", "pattern": 8}}))
    report = await use.backtesting.run(edited, Span())
    assert report.compared_with == "stored rule"
    assert counts(report) == (10, 8, 6, 2, 2)
    assert [len(report.examples[kind]) for kind in ("would_start", "would_stop")] == [EXAMPLES, 2]
    assert report.examples["would_stop"][0]["criteria"][0]["value"] == 9


async def test_a_new_rule_and_a_stored_one_are_compared_with_what_happened(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    stored = await use.add("r")
    for n in (1, 6, 9):
        await use.event(n=n)
    assert counts(await use.backtesting.run(make_rule(rule_body("new", criteria={})), Span())) == (3, 3, 3, 0, 0)
    report = await use.backtesting.run(stored, Span())
    assert report.compared_with == "what happened"
    assert counts(report) == (3, 2, 0, 0, 3)


async def test_a_rule_that_was_disabled_did_not_fire(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r", enabled=False)
    await use.event(n=9)
    assert counts(await use.backtesting.run(make_rule(rule_body("r")), Span())) == (1, 1, 1, 0, 0)


async def test_a_span_limits_the_events(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    times = []
    for n in range(5):
        squall.clock.advance(1_000_000)
        times.append((await use.event(n=n)).occurred_at)
    rule = make_rule(rule_body("r", criteria={}))
    assert (await use.backtesting.run(rule, Span(limit=2))).evaluated == 2
    assert (await use.backtesting.run(rule, Span(after=times[0], before=times[4]))).evaluated == 3


async def test_events_beyond_one_batch_are_evaluated_once_each(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    first = await use.event(n=9)

    async def fill(tx: Tx) -> None:
        for at in range(600):
            await tx.instances.add(msgspec.structs.replace(first, id=f"{at:024x}"))

    await squall.store.tx(fill)
    report = await use.backtesting.run(make_rule(rule_body("r")), Span())
    assert counts(report) == (601, 601, 601, 0, 0)


async def test_a_failing_rule_is_counted_with_an_example(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.event(n=9)
    action = {"ref": "core.local", "parameters": {"cmd": "{{ trigger.gone }}"}}
    report = await use.backtesting.run(make_rule(rule_body("r", action=action)), Span())
    assert (report.failed, report.would_fire) == (1, 0)
    assert "cannot be rendered" in report.examples["failed"][0]["failure_reason"]


async def test_a_backtest_writes_nothing(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.event(n=9)
    row = (await squall.store.read(lambda tx: tx.events.bounds()))[1]
    await use.backtesting.run(make_rule(rule_body("r")), Span())
    assert (await squall.store.read(lambda tx: tx.events.bounds()))[1] == row


async def test_a_trigger_without_events_gives_an_empty_report(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = make_rule(rule_body("r", trigger={"type": "p.t", "parameters": {"url": "x"}}))
    assert (await use.backtesting.run(rule, Span())).evaluated == 0


async def test_matches_that_a_gate_kept_back_do_not_count_as_starts(squall: Assembly) -> None:
    """An edited rule without a gate starts them."""
    gated = Gated(squall)
    await gated.add_type()
    rule = await gated.saying("r", throttle={"within": "1h"})
    for n in range(3):
        await gated.came(n)
    for tested in (rule, make_rule(rule_body("r", criteria={}, throttle={"within": "1m"}))):
        report = await gated.backtesting.run(tested, Span())
        assert counts(report) == (3, 1, 0, 0, 3)
        assert report.kept_back == len(report.examples["kept_back"]) == 2
        assert report.examples["kept_back"][0]["reason"].startswith("throttled:")
        assert "The rule has throttle." in report.note
    report = await gated.backtesting.run(make_rule(rule_body("r", criteria={})), Span())
    assert (counts(report), report.kept_back, report.note) == ((3, 3, 2, 0, 1), 0, "")


async def test_a_correlation_does_not_fail_because_of_its_parameters(squall: Assembly) -> None:
    gated = Gated(squall)
    for ref in ("p.t", "p.u"):
        await gated.add_type(ref)
    rule = await gated.saying("r", "{{ events[0].n }}", correlate={"all": ["p.u"], "within": "1h"})
    await gated.came(1)
    report = await gated.backtesting.run(rule, Span())
    assert (report.failed, report.kept_back, report.would_start) == (0, 1, 0)
