from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.schema_shapes import HIDDEN, SHAPES, Shape

from squall.core.access.access import Identity
from squall.core.access.secret import replace_sealed, to_stored
from squall.core.errors import ForbiddenError, InvalidError, NotFoundError, SquallError
from squall.core.execution.inquiry import question
from squall.core.execution.launch import Outcome
from squall.services.execution.inquiries import Inquiries
from squall.testing.samples import sample_action, sample_id, sample_runner

pytestmark = pytest.mark.anyio

ADA = Identity(user="ada")
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}, "pin": {"type": "string", "secret": True}}}


@pytest.fixture
def inquiries(squall: Assembly) -> Inquiries:
    return Inquiries(squall.store, squall.clock, squall.vault, squall.transitions)


async def ask(squall: Assembly, **parameters: Any) -> str:
    squall.source.runners.append(sample_runner("inquirer", runner_parameters={}))
    squall.source.packs[0][1].append(sample_action("core.ask", runner_type="inquirer"))
    await squall.registration.register()
    task, execution, _ = await squall.start(action="core.ask")
    asked = question({"schema": SCHEMA, "ttl": 1, **parameters})
    assert await squall.claims.finish(task, execution, Outcome("pending", asked))
    return execution.id


async def test_an_answer_ends_it_and_its_secrets_are_sealed(squall: Assembly, inquiries: Inquiries) -> None:
    inquiry = await ask(squall)
    assert [each.id for each in (await inquiries.find(None, 0))[0]] == [inquiry]
    shown = await inquiries.respond(ADA, inquiry, {"ok": True, "pin": "1234-secret"})
    assert shown == {"ok": True, "pin": "********"}
    ended = await squall.executions.get(inquiry)
    assert ended.context["responded_by"] == "ada"
    assert (ended.status, ended.result["response"]["ok"]) == ("succeeded", True)
    assert "1234-secret" not in str(to_stored(ended.result))
    assert await inquiries.find(None, 0) == ([], 0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_every_part_of_an_answer_that_the_schema_marks_is_sealed(
    squall: Assembly, inquiries: Inquiries, shape: Shape
) -> None:
    schema = json.loads(json.dumps(shape.schema).replace("#/", "#/properties/x/"))
    inquiry = await ask(squall, schema={"type": "object", "properties": {"x": schema}})
    assert await inquiries.respond(ADA, inquiry, {"x": shape.value}) == {"x": shape.masked}
    assert HIDDEN not in str(to_stored((await squall.executions.get(inquiry)).result))


async def test_an_answer_that_looks_like_a_sealed_value_stays_what_it_is(
    squall: Assembly, inquiries: Inquiries
) -> None:
    properties = {"x": {"type": "object"}, "pin": {"type": "object", "secret": True}}
    inquiry = await ask(squall, schema={"type": "object", "properties": properties})
    answer = {"x": {"$sealed": squall.vault.seal("stolen")}, "pin": {"$value": 1, "$from": [2]}}
    assert await inquiries.respond(ADA, inquiry, answer) == {**answer, "pin": "********"}
    response = (await squall.executions.get(inquiry)).result["response"]
    assert replace_sealed(response, squall.binding.reveal) == answer


async def test_a_refusal_does_not_quote_a_secret_answer(squall: Assembly, inquiries: Inquiries) -> None:
    inquiry = await ask(squall)
    with pytest.raises(InvalidError) as caught:
        await inquiries.respond(ADA, inquiry, {"pin": ["1234-secret"]})
    assert "1234-secret" not in str(caught.value)


async def test_what_is_refused_leaves_it_waiting(squall: Assembly, inquiries: Inquiries) -> None:
    inquiry = await ask(squall, users=["bob"])
    with pytest.raises(ForbiddenError):
        await inquiries.respond(ADA, inquiry, {"ok": True})
    with pytest.raises(InvalidError):
        await inquiries.respond(Identity(user="bob"), inquiry, {"ok": "maybe"})
    with pytest.raises(NotFoundError, match="could not be found"):
        await inquiries.get(sample_id(99))
    assert (await squall.executions.get(inquiry)).status == "pending"


async def test_of_two_answers_at_once_one_is_taken(squall: Assembly, inquiries: Inquiries) -> None:
    inquiry = await ask(squall)
    answers = [inquiries.respond(ADA, inquiry, {"ok": ok}) for ok in (True, False)]
    found = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(each, SquallError) for each in found) == 1
    (taken,) = (each for each in found if isinstance(each, dict))
    assert (await squall.executions.get(inquiry)).result["response"] == taken


async def test_nobody_answers_and_its_time_is_over(squall: Assembly, inquiries: Inquiries) -> None:
    inquiry = await ask(squall)
    squall.clock.advance(59)
    assert await inquiries.sweep() == 0
    squall.clock.advance(2)
    assert await inquiries.sweep() == 1
    assert (await squall.executions.get(inquiry)).status == "timeout"
    with pytest.raises(InvalidError, match="timed out"):
        await inquiries.respond(ADA, inquiry, {"ok": True})
