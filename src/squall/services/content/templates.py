"""Renders templates: cheap ones at once, others on a thread, with an `Evaluator` whose process can be ended."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from squall.core.expr.bounds.evaluator import Evaluator, NeedsProcess, NoEvaluator
from squall.core.expr.jinja import Jinja

T = TypeVar("T")


class Templates:
    """Creates and uses `Jinja`. Without an `evaluator`, all templates are rendered at once, in this process."""

    def __init__(self, evaluator: Evaluator | None = None, threads: Executor | None = None) -> None:
        self._evaluator = evaluator
        self._threads = threads

    def jinja(self, decrypt_kv: Callable[[Any], Any]) -> Jinja:
        """Returns templates for `run`."""
        return Jinja(decrypt_kv, NoEvaluator() if self._evaluator is not None else None)

    async def run(self, jinja: Jinja, work: Callable[[Jinja], T], *, is_long: bool = False) -> T:
        """Calls `work` with `jinja`, and returns its result.

        If a template needs a process, calls `work` once more from its beginning, on a thread, with a copy of the
        context's variables. So `work` must not depend on what its first call has done. If the work `is_long`, calls it
        on a thread only.
        """
        try:
            if not is_long or self._evaluator is None:
                return work(jinja)
        except NeedsProcess:
            if self._evaluator is None:
                raise
        apart = jinja.with_evaluator(self._evaluator)
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: context.run(work, apart))
