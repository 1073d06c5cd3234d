"""JSON Schemas of the metadata files of packs, for editors."""

from __future__ import annotations

from squall.api.http.routes import Route, bound
from squall.api.http.wire import Answer, Request
from squall.core.content.metadata_schemas import FILES, SCHEMAS
from squall.core.errors import NotFoundError


class SchemaRoutes:
    """`/schemas`: the list of schemas and the files that each is for; `/schemas/action.json`: one schema."""

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        return Answer([{"url": f"/schemas/{kind}.json", "files": files} for kind, files in FILES.items()])

    async def _get(self, request: Request) -> Answer:
        name = request.path["name"].removesuffix(".json")
        if name not in SCHEMAS:
            raise NotFoundError(f'Schema "{name}" does not exist. Use one of: {", ".join(SCHEMAS)}')
        return Answer(SCHEMAS[name], content_type="application/schema+json")


ROUTES = (
    Route("GET", "/schemas", SchemaRoutes._list, "List the schemas of metadata files", "Anything"),
    Route(
        "GET", "/schemas/{name}", SchemaRoutes._get, "Show one schema", "Anything", types=("application/schema+json",)
    ),
)
