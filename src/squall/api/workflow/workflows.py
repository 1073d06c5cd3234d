"""`/workflows`: the check of a definition, and the graph of an execution for drawing."""

from __future__ import annotations

from squall.api.http.routes import TEXT, Route, bound
from squall.api.http.wire import Answer, Request
from squall.services.execution.executions import Executions
from squall.services.workflow.definitions import Definitions
from squall.services.workflow.graphs import WorkflowGraphs


class WorkflowRoutes:
    """`/workflows/inspect` and `/executions/{id}/graph`."""

    def __init__(self, definitions: Definitions, executions: Executions, graphs: WorkflowGraphs) -> None:
        self._definitions = definitions
        self._executions = executions
        self._graphs = graphs

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _inspect(self, request: Request) -> Answer:
        return Answer(await self._definitions.inspect(await request.body()))

    async def _graph(self, request: Request) -> Answer:
        execution_id = await self._executions.resolve(request.path["id"])
        return Answer(await self._graphs.of_execution(execution_id))


ROUTES = (
    Route("GET", "/executions/{id}/graph", WorkflowRoutes._graph, "Show the tasks of a workflow execution", "Graph"),
    Route(
        "POST", "/workflows/inspect", WorkflowRoutes._inspect, "Check a workflow definition", "InspectError", (),
        TEXT, listed=True,
    ),
)  # fmt: skip
