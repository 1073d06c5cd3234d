"""Explanations of rules over HTTP: why a rule matches an event or not, backtests, and a stream of decisions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic
from typing import Any

import msgspec
from starlette.types import Send

from squall.api.http.bodies import while_connected
from squall.api.http.routes import EVENTS, Route, admin, bound
from squall.api.http.wire import LAST_EVENT_ID, Answer, Request, field
from squall.api.output.forms.frames import OPENING, event_frame, id_alone, id_line
from squall.api.output.streaming import send_events
from squall.core.access.access import check_admin
from squall.core.errors import InvalidError
from squall.core.event.rules.records import Rule
from squall.core.timestamp import from_iso
from squall.services.event.rules.backtesting import MOST, Backtesting, Span
from squall.services.event.rules.decisions import Decisions
from squall.services.event.rules.explaining import Explaining
from squall.services.event.triggers.instances import Instances

DECISION = "decision"
"""The name of the events of a stream of decisions."""

_EXPLAIN = ("rule", "instance", "payload")
_BACKTEST = ("rule", "from", "to", "limit")
_LARGEST_NUMBER = 2**63 - 1


class ExplainingRoutes:
    """`/rules/explain`, `/rules/backtest`, `/rules/{ref}/decisions` and `/triggerinstances/{id}/explain`. `heartbeat`
    is in seconds."""

    def __init__(
        self,
        explaining: Explaining,
        backtesting: Backtesting,
        decisions: Decisions,
        instances: Instances,
        *,
        heartbeat: float,
    ) -> None:
        self._explaining = explaining
        self._backtesting = backtesting
        self._decisions = decisions
        self._instances = instances
        self._heartbeat = heartbeat

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _explain(self, request: Request) -> Answer:
        body = await request.document()
        _check_names(body, _EXPLAIN)
        rule = await self._rule(request, body, "explaining a rule that is not stored")
        instance_id = field(body, "instance", str, "string")
        if (instance_id is None) == ("payload" not in body):
            raise InvalidError("expected either instance (the id of a trigger instance) or payload")
        if instance_id is None:
            explained = await self._explaining.explain(rule, body["payload"])
            return Answer(explained.document())
        instance = await self._instances.get(instance_id)
        at = instance.evaluated_at or instance.occurred_at
        explained = await self._explaining.explain(rule, instance.payload, instance.trigger, at)
        return Answer({**explained.document(), "trigger_instance": instance.id})

    async def _rule(self, request: Request, body: dict[str, Any], doing: str) -> Rule:
        """Returns the rule of a body. The templates of a rule can read keys, so only administrators may send one."""
        if body.get("rule") is None:
            raise InvalidError("'rule' is a required property")
        rule, is_stored = await self._explaining.rule_of(body["rule"])
        if not is_stored:
            check_admin(request.identity, doing)
        return rule

    async def _explain_instance(self, request: Request) -> Answer:
        return Answer(await while_connected(request, self._explaining.instance(request.path["id"])))

    async def _backtest(self, request: Request) -> Answer:
        body = await request.document()
        _check_names(body, _BACKTEST)
        rule = await self._rule(request, body, "backtesting a rule")
        limit = field(body, "limit", int, "integer", Span().limit)
        if not 1 <= limit <= MOST:
            raise InvalidError(f"limit: {limit} is not between 1 and {MOST}")
        after, before = field(body, "from", str, "string"), field(body, "to", str, "string")
        span = Span(
            after=from_iso(after, "from") if after else None,
            before=from_iso(before, "to") if before else None,
            limit=limit,
        )
        report = await while_connected(request, self._backtesting.run(rule, span))
        return Answer(msgspec.to_builtins(report))

    async def _follow(self, request: Request, send: Send) -> Answer | None:
        token = request.header(LAST_EVENT_ID) or request.query.text("after")
        rule, present = await self._decisions.begin(request.path["ref"])
        position = present if token is None else _position(token)
        await send_events(request, send, self._pieces(rule, position))
        return None

    async def _pieces(self, rule: Rule, position: int) -> AsyncGenerator[bytes, None]:
        """Yields the bytes of the stream. The first ones have the position, so a client can resume before an event."""
        yield OPENING + id_alone(str(position))
        last_sent = monotonic()
        async with aclosing(self._decisions.follow(rule, position)) as steps:
            async for step in steps:
                if step.decision is not None:
                    yield id_line(str(step.position)) + event_frame(DECISION, step.decision)
                    last_sent = monotonic()
                elif monotonic() - last_sent >= self._heartbeat:
                    yield b""
                    last_sent = monotonic()


def _check_names(body: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in body:
        if name not in names:
            raise InvalidError(f"Additional properties are not allowed ({name!r:.60} was unexpected)")


def _position(token: str) -> int:
    if not (token.isascii() and token.isdigit() and int(token[:20]) <= _LARGEST_NUMBER):
        raise InvalidError(f"after: {token!r:.60} is not the number of a trigger instance")
    return int(token)


ROUTES = (
    Route(
        "POST", "/rules/explain", ExplainingRoutes._explain, "Explain a rule's decision about an event",
        "RuleDecision", (), "ExplainBody",
    ),
    Route(
        "POST", "/rules/backtest", ExplainingRoutes._backtest, "Evaluate a rule for stored events", "Backtest", (),
        "BacktestBody", permission=admin("backtesting rules"),
    ),
    Route(
        "GET", "/rules/{ref}/decisions", ExplainingRoutes._follow, "Stream of a rule's decisions", None, ("after",),
        types=(EVENTS,), streams=True,
    ),
    Route(
        "GET", "/triggerinstances/{id}/explain", ExplainingRoutes._explain_instance,
        "Explain the decisions of all rules about an event", "InstanceDecisions",
    ),
)  # fmt: skip
