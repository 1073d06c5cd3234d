"""Lists and answers inquiries, and ends them at their time-out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from squall.core.access.access import Identity, check_respond
from squall.core.access.secret import masked
from squall.core.errors import ConflictError, NotFoundError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.inquiry import RUNNER, Inquiry, check_response, inquiry_of, is_over
from squall.core.schema.taint import enclose_alone
from squall.core.schema.walk import seal_secrets
from squall.ports import Clock, Store, Tx, Vault
from squall.services.execution.transitions import Transitions

_SWEPT = 200
_COUNTED = 10_000
_MISSING = "The resource could not be found."


class Inquiries:
    """The use cases of inquiries."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, transitions: Transitions) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._transitions = transitions

    async def find(self, limit: int | None, offset: int) -> tuple[list[Inquiry], int]:
        """Returns a page of inquiries that wait for an answer, oldest first, and their total number."""
        where = ExecutionFilter(status=ex.PENDING, runner=RUNNER, newest_first=False)

        async def work(tx: Tx) -> tuple[Sequence[Execution], int]:
            return await tx.executions.find(where, limit, offset, True), await tx.executions.count(where, _COUNTED)

        executions, total = await self._store.read(work)
        return [inquiry_of(execution) for execution in executions], total

    async def get(self, inquiry_id: str) -> Inquiry:
        """Returns an inquiry that waits for an answer. Raises `NotFoundError`, or `InvalidError` if it is over."""
        return inquiry_of(await self._execution(inquiry_id))

    async def respond(self, identity: Identity, inquiry_id: str, response: Any) -> dict[str, Any]:
        """Ends an inquiry with a response. Returns the response with its secrets masked.

        Raises `NotFoundError`, `ForbiddenError`, and `InvalidError` if the response does not fit the schema or comes
        too late. Of two concurrent responses, the first wins.
        """
        await self.get(inquiry_id)

        def decide(current: Execution) -> tuple[str, Any]:
            inquiry = inquiry_of(current)
            check_respond(identity, inquiry.id, inquiry.users, inquiry.roles)
            check_response(inquiry, response)
            sealed = seal_secrets(response, inquiry.schema, lambda secret: enclose_alone(secret, self._vault.seal))
            return ex.SUCCEEDED, {**current.result, "response": sealed}

        execution = await self._conclude(inquiry_id, decide, identity.user)
        masked_response: dict[str, Any] = masked(execution.result["response"])
        return masked_response

    async def sweep(self) -> int:
        """Ends inquiries after their time-out. Returns their number."""
        ended, offset = 0, 0
        where = ExecutionFilter(status=ex.PENDING, runner=RUNNER, newest_first=False)
        while True:
            at = offset
            page = await self._store.read(lambda tx, at=at: tx.executions.find(where, _SWEPT, at, True))  # type: ignore[misc]
            expired = [execution.id for execution in page if is_over(execution, self._clock.now())]
            for execution_id in expired:
                ended += await self._time_out(execution_id)
            if len(page) < _SWEPT:
                return ended
            offset += len(page) - len(expired)

    async def _time_out(self, execution_id: str) -> bool:
        def decide(current: Execution) -> tuple[str, Any]:
            if current.status != ex.PENDING:
                raise ConflictError("The inquiry has been answered meanwhile.")
            return ex.TIMEOUT, current.result

        try:
            await self._conclude(execution_id, decide)
        except ConflictError:
            return False
        return True

    async def _conclude(
        self, inquiry_id: str, decide: Callable[[Execution], tuple[str, Any]], responder: str | None = None
    ) -> Execution:
        """Ends an inquiry with the status and result that `decide` returns for its current state. The name of the
        `responder`, if there is one, goes into its context.

        Of two concurrent calls, the second one's `decide` sees the first one's change. Raises `NotFoundError`, and the
        errors of `decide`.
        """

        async def work(tx: Tx) -> Execution:
            current = await tx.executions.get(inquiry_id)
            if current is None:
                raise NotFoundError(_MISSING)
            status, result = decide(current)
            if responder is not None:
                current = msgspec.structs.replace(current, context={**current.context, ex.RESPONDED_BY: responder})
            return await self._transitions.conclude(tx, current, status, result, self._clock.now())

        execution = await self._store.tx(work)
        self._transitions.hint(execution)
        return execution

    async def _execution(self, inquiry_id: str) -> Execution:
        execution = await self._store.read(lambda tx: tx.executions.get(inquiry_id))
        if execution is None:
            raise NotFoundError(_MISSING)
        return execution
