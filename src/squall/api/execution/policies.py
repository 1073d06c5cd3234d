"""Policies over HTTP: `/policies` and `/policytypes`, with StackStorm's documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from squall.api.http.pages import attributes, ordered, page
from squall.api.http.routes import SELECT, Route, admin, bound, noun
from squall.api.http.wire import Answer, Request
from squall.core.errors import NotFoundError
from squall.core.execution.document import ALWAYS_IN_PACKS, select
from squall.core.execution.policy import POLICY_FIELDS, Policy, PolicyType, document
from squall.services.execution.policy.policies import Policies

_DEFAULT_LIMIT = 100
_TYPES_SORTED = ("id", "name", "resource_type")
_TYPE_FIELDS = frozenset(PolicyType.__struct_fields__)


class PolicyRoutes:
    """`/policies` and `/policytypes`."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list_types(self, request: Request) -> Answer:
        resource_type, names = request.query.text("resource_type"), request.query.listed("name")
        types = [
            kind
            for kind in await self._policies.types()
            if resource_type in (None, kind.resource_type) and (names is None or kind.name in names)
        ]
        types = ordered(types, request.query, _TYPES_SORTED, lambda kind, name: str(getattr(kind, name)))
        return _page(request, types, _TYPE_FIELDS)

    async def _get_type(self, request: Request) -> Answer:
        ref = request.path["ref"]
        for kind in await self._policies.types():
            if ref in (kind.ref, kind.id):
                return Answer(document(kind))
        raise NotFoundError(f'PolicyType with a reference of id "{ref}" not found.')

    async def _list(self, request: Request) -> Answer:
        query = request.query
        name = query.text("name")
        policies = await self._policies.find(query.text("resource_ref"), query.text("pack"), query.text("policy_type"))
        return _page(request, [policy for policy in policies if name in (None, policy.name)], POLICY_FIELDS)

    async def _get(self, request: Request) -> Answer:
        return Answer(document(await self._policies.get(request.path["ref"])))

    async def _create(self, request: Request) -> Answer:
        return Answer(document(await self._policies.create(_client_fields(await request.document()))), 201)

    async def _update(self, request: Request) -> Answer:
        body = _client_fields(await request.document())
        return Answer(document(await self._policies.update(request.path["ref"], body)))

    async def _delete(self, request: Request) -> Answer:
        await self._policies.delete(request.path["ref"])
        return Answer(status=204)


def _client_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields that a client may set. Clients send whole documents, so fields of the server are ignored."""
    return {name: value for name, value in body.items() if name not in ("id", "uid", "ref", "metadata_file")}


def _page(request: Request, items: Sequence[Policy] | Sequence[PolicyType], fields: frozenset[str]) -> Answer:
    selection = attributes(request.query, fields)
    always = ALWAYS_IN_PACKS if fields is POLICY_FIELDS else ("id",)
    part = page(request.query, _DEFAULT_LIMIT)
    ids = request.query.listed("id")
    selected = [item for item in items if ids is None or item.id in ids]
    end = None if part.limit is None else part.offset + part.limit
    documents = [
        select(document(item), selection.include, selection.exclude, always) for item in selected[part.offset : end]
    ]
    return Answer(documents, headers=part.headers(len(selected)))


_MAKING, _CHANGING, _REMOVING = admin("making policies"), admin("changing policies"), admin("removing policies")

ROUTES = (
    *noun(
        "/policytypes", "type of policy", "PolicyType", "ref", ("id", "name", "resource_type", "sort", *SELECT),
        PolicyRoutes._list_types, PolicyRoutes._get_type,
    ),
    *noun(
        "/policies", "policy", "Policy", "ref", ("id", "name", "pack", "policy_type", "resource_ref", *SELECT),
        PolicyRoutes._list, PolicyRoutes._get,
    ),
    Route(
        "POST", "/policies", PolicyRoutes._create, "Make a policy", "Policy", (), "PolicyBody", 201,
        permission=_MAKING,
    ),
    Route(
        "PUT", "/policies/{ref}", PolicyRoutes._update, "Change a policy", "Policy", (), "PolicyBody",
        permission=_CHANGING,
    ),
    Route("DELETE", "/policies/{ref}", PolicyRoutes._delete, "Remove a policy", status=204, permission=_REMOVING),
)  # fmt: skip
