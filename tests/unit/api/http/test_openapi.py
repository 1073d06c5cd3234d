"""The OpenAPI document is the one that the page was made for, and names nothing in vain."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from squall.api.http.schemas import QUERY, SCHEMAS
from squall.api.table import TABLE, api_document

FOR_THE_PAGE = Path(__file__).parents[4] / "web" / "openapi.json"
API = Path(__file__).parents[4] / "src" / "squall" / "api"


def test_the_page_is_made_for_this_api() -> None:
    assert json.loads(FOR_THE_PAGE.read_text()) == api_document("0"), "run `make openapi`"


def test_every_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_name_that_is_used_is_there_and_none_is_there_in_vain() -> None:
    document = api_document("1.2.3")
    used = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert used | {"Line"} == set(SCHEMAS)
    assert {name for route in TABLE for name in route.query} == set(QUERY)


def test_no_route_is_declared_twice() -> None:
    declared = [(route.method, route.full_path) for route in TABLE]
    assert len(set(declared)) == len(declared)
    ids = [each["operationId"] for path in api_document("")["paths"].values() for each in path.values()]
    assert len(set(ids)) == len(ids)


def test_every_query_parameter_that_is_read_is_told() -> None:
    read = set()
    for path in API.rglob("*.py"):
        read |= set(re.findall(r'query\.(?:text|listed|integer|boolean|has)\("(\w+)"', path.read_text()))
    assert read - set(QUERY) - {"raw_data"} == set()
