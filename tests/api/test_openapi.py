"""What the OpenAPI document says of the API, asked of a real server by made-up requests, good and bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.conftest import EXAMPLES
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.api.table import TABLE, api_document

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# They never end; what they send is told by the scenarios. Single sign-on answers 500 as StackStorm's does.
LEFT_OUT = {route.full_path for route in TABLE if route.streams} | {"/auth/v1/sso/request"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """A server of its own: what is asked of it makes, changes and removes things."""
    with serving(
        tmp_path_factory.mktemp("asked"),
        packs,
        env={**QUICK, "SQUALL_CONTENT_INDEX_URL": "nosuch.json", "SQUALL_CONTENT_PIP_OPTIONS": "--no-index"},
    ) as server:
        for number in range(3):
            server.ended(server.shell(f"echo {number}"))
        yield server


DOCUMENT: Any = schemathesis.openapi.from_dict(api_document("0"))
FOUND = [found.ok() for found in DOCUMENT.get_all_operations()]
TOLD = [operation for operation in FOUND if operation.path not in LEFT_OUT]


@pytest.mark.parametrize("kind", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("operation", TOLD, ids=lambda operation: operation.label)
def test_no_request_makes_an_error_or_gets_an_answer_that_is_not_told(
    asked: Server, operation: Any, kind: GenerationMode
) -> None:
    @settings(max_examples=EXAMPLES or 5, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=kind))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=asked.url, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert kind is GenerationMode.NEGATIVE, "there is no good request"


def test_the_server_gives_the_document(asked: Server) -> None:
    assert asked.get("/openapi.json")["paths"] == api_document("0")["paths"]
