"""Inquiries over HTTP: list, show, respond."""

from __future__ import annotations

from typing import Any

from squall.api.http.pages import attributes, page
from squall.api.http.routes import SELECT, Route, bound, noun
from squall.api.http.wire import Answer, Request, field
from squall.core.errors import InvalidError
from squall.core.execution.document import FIELDS, select
from squall.core.execution.inquiry import Inquiry
from squall.services.execution.inquiries import Inquiries

_DEFAULT_LIMIT = 20
_FIELDS = FIELDS | set(Inquiry.__struct_fields__)
"""The attributes that a request may select: an inquiry is an execution, and clients name attributes of both."""


class InquiryRoutes:
    """`/inquiries`."""

    def __init__(self, inquiries: Inquiries) -> None:
        self._inquiries = inquiries

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        part = page(request.query, _DEFAULT_LIMIT)
        selection = attributes(request.query, _FIELDS)
        inquiries, total = await self._inquiries.find(part.limit, part.offset)
        documents = [select(_document(inquiry), selection.include, selection.exclude) for inquiry in inquiries]
        return Answer(documents, headers=part.headers(total))

    async def _get(self, request: Request) -> Answer:
        return Answer(_document(await self._inquiries.get(request.path["id"])))

    async def _respond(self, request: Request) -> Answer:
        body = await request.document()
        for name in ("id", "response"):
            if name not in body:
                raise InvalidError(f"{name!r} is a required property")
        inquiry_id = request.path["id"]
        if field(body, "id", str, "string") != inquiry_id:
            raise InvalidError(f"id: {body['id']!r} differs from the inquiry in the path, {inquiry_id!r}")
        response = await self._inquiries.respond(request.identity, inquiry_id, body["response"])
        return Answer({"id": inquiry_id, "response": response})


def _document(inquiry: Inquiry) -> dict[str, Any]:
    return {
        "id": inquiry.id,
        "route": inquiry.route,
        "ttl": inquiry.ttl,
        "users": inquiry.users,
        "roles": inquiry.roles,
        "schema": inquiry.schema,
    }


ROUTES = (
    *noun("/inquiries", "inquiry", "Inquiry", "id", SELECT, InquiryRoutes._list, InquiryRoutes._get),
    Route("PUT", "/inquiries/{id}", InquiryRoutes._respond, "Respond to an inquiry", "Response", (), "Response"),
)
