"""The OpenAPI 3.1 document of the API, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from squall.api.http.routes import ANY_BODY, JSON, OPEN, TEXT, Route, bound
from squall.api.http.schemas import QUERY, SCHEMAS
from squall.api.http.wire import Answer, Request

_REF = "#/components/schemas/"


def openapi_document(version: str, table: Iterable[Route]) -> dict[str, Any]:
    """Returns the document of the routes in `table`. `version` is Squall's."""
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.full_path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Squall", "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "key": {"type": "apiKey", "in": "header", "name": "St2-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{}, {"token": []}, {"key": []}, {"bearer": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\*?\}", route.path)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    for name in dict.fromkeys(route.query):
        schema, meaning = QUERY[name]
        parameters.append({"name": name.partition(" ")[0], "in": "query", "schema": schema, "description": meaning})
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            str(route.status): _answer(route),
            **{str(code): _error(code) for code in route.failures},
        },
    }
    if route.body == TEXT:
        operation["requestBody"] = {"content": {"text/plain": {"schema": {"$ref": _REF + TEXT}}}}
    elif route.body == ANY_BODY:
        operation["requestBody"] = {"content": {"*/*": {"schema": {"$ref": _REF + ANY_BODY}}}}
    elif route.body is not None:
        operation["requestBody"] = {"content": {JSON: {"schema": {"$ref": _REF + route.body}}}}
    if route.body == "Login":
        operation["security"] = [{"password": []}]
    return operation


def _answer(route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary}
    if route.status == HTTPStatus.NO_CONTENT:
        return answer
    schema: dict[str, Any] = {"$ref": _REF + route.answer} if route.answer else {}
    if route.listed:
        schema = {"type": "array", "items": schema}
    answer["content"] = {name: {"schema": schema} if schema else {} for name in route.types}
    return answer


def _error(code: int) -> dict[str, Any]:
    return {"description": HTTPStatus(code).phrase, "content": {JSON: {"schema": {"$ref": _REF + "Error"}}}}


class OpenApiRoutes:
    """`/openapi.json`, open to everybody: it describes the API and shows no data of the server.

    `table` has all other routes that are served.
    """

    def __init__(self, version: str, table: Iterable[Route]) -> None:
        # The document is large and never changes, so it is encoded once.
        self._content = Answer(openapi_document(version, [*table, *ROUTES])).content

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _get(self, request: Request) -> Answer:
        return Answer(raw=self._content)


ROUTES = (Route("GET", "/openapi.json", OpenApiRoutes._get, "This document", "Anything", errors=(), permission=OPEN),)
