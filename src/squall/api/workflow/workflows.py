"""`/workflows`: inspecting a definition; and the graph of a run, for drawing."""

from __future__ import annotations

from squall.api.http.application import Route
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
        """What it answers."""
        return [
            Route("POST", "/workflows/inspect", self._inspect),
            Route("GET", "/executions/{id}/graph", self._graph),
        ]

    async def _inspect(self, request: Request) -> Answer:
        return Answer(await self._definitions.inspect(await request.body()))

    async def _graph(self, request: Request) -> Answer:
        execution_id = await self._executions.resolve(request.path["id"])
        return Answer(await self._graphs.of_execution(execution_id))
