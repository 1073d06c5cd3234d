"""The actions' processes: starts them, times them, cancels them with their descendants, and waits for their exits.

Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from squall.adapters.keeper.families.cgroups import ActionGroups
from squall.adapters.keeper.families.processes import Family, read_process
from squall.adapters.keeper.process.child import Child, Loop, make_patterns
from squall.adapters.keeper.process.doomed import Doomed
from squall.adapters.keeper.process.life import LIVING, Event, State, possible
from squall.adapters.keeper.process.pump import Pump
from squall.adapters.keeper.process.starting import Starter, marker
from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.execution.process import LaunchSpec
from squall.core.output import journal

_LINGER_SILENCE = 0.5
_LINGER_MOST = 5.0
_SILENCE = 60.0
_TOO_SHORT = "%d secret value(s) with fewer than 4 bytes, or of white space only, are not masked in this output"
_TOO_LONG = "%d secret value(s) with more than 64 KiB are not masked in this output"


class Children:
    """Starts and ends children, on the loop's thread.

    It calls `on_start(child)` when the process has started; `on_end(child)` once, when all its output is in the journal
    or the start has failed; `on_wait(child)` when `child.wait_reason` has changed.
    """

    def __init__(
        self,
        loop: Loop,
        journals: Journals,
        groups: ActionGroups,
        results: Path,
        now: Callable[[], int],
        on_start: Callable[[Child], None],
        on_end: Callable[[Child], None],
        on_wait: Callable[[Child], None],
    ) -> None:
        self._loop = loop
        self._groups = groups
        self._on_start = on_start
        self._on_end = on_end
        self._doomed = Doomed(loop, self._gone)
        self._pump = Pump(loop, journals, now, self._maybe_end, self._stop, on_wait)
        self._starter = Starter(loop, groups, results, self._pump, self._started, self._failed)
        self._running: dict[str, Child] = {}

    def spawn(self, spec: LaunchSpec) -> None:
        """Starts the process of a launch."""
        child = Child(spec)
        self._running[spec.unit] = child
        self._starter.begin(child)

    def _failed(self, child: Child) -> None:
        child.advance(Event.FAILED)
        self._loop.call_later(0, self._finish, child)

    def _started(self, child: Child, pid: int, pidfd: int) -> None:
        """Handles the start of a process: sets its timers, and watches for its exit."""
        spec = child.spec
        called_off = child.advance(Event.STARTED) is State.CALLED_OFF
        child.pid = pid
        child.started_at = child.last_read = self._loop.time()
        # The fields that only a start needs would take memory for days.
        child.spec = spec._replace(argv=[], env={}, stdin=None, secrets=(), limits={})
        process = read_process(pid)
        child.family = Family(pid, process.started if process is not None else 0, marker(spec), child.group)
        child.pidfd = pidfd
        self._loop.add_reader(child.pidfd, self._exited, child)
        if spec.timeout is not None:
            child.timers["timeout"] = self._loop.call_later(spec.timeout, self._time_out, child)
        self._warn(child, 0)
        if spec.too_long:
            self._pump.note(child, journal.PROGRESS, json.dumps({"warning": _TOO_LONG % spec.too_long}))
        child.timers["silence"] = self._loop.call_later(_SILENCE, self._look_at_silence, child)
        self._on_start(child)
        if called_off:
            self._doomed.add(child)

    def _stop(self, child: Child) -> None:
        """Ends all processes of a child; if its start is in progress, as soon as it has started."""
        if child.advance(Event.STOP) in (State.RUNNING, State.LINGERING):
            self._doomed.add(child)

    def cancel(self, unit: str) -> None:
        """Ends all processes of a unit: TERM, then KILL after three seconds. Does nothing if it is not running."""
        child = self._running.get(unit)
        if child is not None:
            child.canceled = True
            self._stop(child)

    def add_secrets(self, unit: str, secrets: list[bytes]) -> None:
        """Masks more secrets in the output of a unit from now on. Does nothing if it is not running."""
        child = self._running.get(unit)
        if child is not None:
            patterns = child.patterns.with_secrets(secrets) if child.patterns is not None else make_patterns(secrets)
            before = child.patterns.too_short if child.patterns is not None else 0
            self._pump.set_patterns(child, patterns)
            self._warn(child, before)

    def _warn(self, child: Child, before: int) -> None:
        """Adds a warning to the output if more secrets than `before` are too short to be masked."""
        if child.patterns is not None and child.patterns.too_short > before:
            self._pump.note(child, journal.PROGRESS, json.dumps({"warning": _TOO_SHORT % child.patterns.too_short}))

    def masking_seconds(self) -> float:
        """Returns the seconds that masking has taken so far."""
        return self._pump.masking_seconds

    def running(self) -> list[str]:
        """Returns the units that have not ended."""
        return list(self._running)

    def waiting(self) -> dict[str, str]:
        """Returns the waiting units with their reasons."""
        return {unit: child.wait_reason for unit, child in self._running.items() if child.wait_reason}

    def pids(self) -> set[int]:
        """Returns the pids of the first processes of children that have not ended."""
        return {child.pid for child in self._running.values()}

    def _time_out(self, child: Child) -> None:
        if child.state in LIVING:
            child.timed_out = True
            self._stop(child)

    def _gone(self, child: Child) -> None:
        """Ends a child that has no processes any more, if all its output is stored."""
        self._pump.drain(child)
        if not child.held_back:
            self._finish(child)

    def _look_at_silence(self, child: Child) -> None:
        """Adds a progress record once per minute if a living action prints nothing: the CPU seconds that it used."""
        if child.state not in LIVING:
            return
        silent = self._loop.time() - child.last_read
        if silent >= _SILENCE:
            process = read_process(child.pid)
            cpu = process.cpu_ticks / os.sysconf("SC_CLK_TCK") if process is not None else 0.0
            self._pump.note(
                child, journal.PROGRESS, f'{{"alive":true,"silent_seconds":{silent:.0f},"cpu_seconds":{cpu:.2f}}}'
            )
            silent = 0.0
        child.timers["silence"] = self._loop.call_later(_SILENCE - silent, self._look_at_silence, child)

    def _exited(self, child: Child) -> None:
        self._loop.remove_reader(child.pidfd)
        os.close(child.pidfd)
        if child.terminal >= 0:
            os.close(child.terminal)
        _, status, usage = os.wait4(child.pid, 0)
        child.exit_code = os.waitstatus_to_exitcode(status)
        child.cpu_seconds = usage.ru_utime + usage.ru_stime
        child.peak_memory = usage.ru_maxrss * 1024
        child.exited_at = self._loop.time()
        child.last_read = child.exited_at
        if child.advance(Event.EXITED) is State.STOPPING:
            self._doomed.look_soon()
        else:
            self._maybe_end(child)
            self._linger(child)

    def _linger(self, child: Child) -> None:
        """Ends a child whose first process has exited while another process still holds its pipes open: after a short
        silence, or a maximum time.

        The pump reads and drops later output, so that the other process is neither blocked nor killed by a closed pipe.
        """
        if child.state is not State.LINGERING or child.exited_at is None:
            return
        now = self._loop.time()
        silent = now - child.last_read >= _LINGER_SILENCE
        if not child.held_back and (silent or now - child.exited_at >= _LINGER_MOST):
            self._pump.drain(child)
            self._finish(child)
        if child.state is State.LINGERING:
            child.timers["linger"] = self._loop.call_later(_LINGER_SILENCE / 2, self._linger, child)

    def _maybe_end(self, child: Child) -> None:
        """Ends a child whose first process has exited, whose pipes are closed, and whose output is stored.

        A stopped child ends later, when its last process has ended.
        """
        if child.state is State.LINGERING and not any(pipe.open or pipe.unwritten for pipe in child.pipes):
            self._finish(child)

    def _finish(self, child: Child) -> None:
        if child.ended:
            return
        self._pump.close_books(child)
        if child.held_back or child.books_open:
            # The disk refused data that the masker had held, or the end of what the limit dropped; the child cannot end
            # before it is stored.
            child.timers["linger"] = self._loop.call_later(_LINGER_SILENCE, self._linger, child)
            return
        if not possible(child.state, Event.STORED):
            # The last data exceeded the output limit, so the child is being stopped.
            return
        child.advance(Event.STORED)
        for timer in child.timers.values():
            timer.cancel()
        child.timers.clear()
        if child.group is not None:
            cpu, memory = child.group.usage()
            child.cpu_seconds = max(child.cpu_seconds, cpu)
            child.peak_memory = memory or child.peak_memory
            self._groups.forget(child.group)
        self._running.pop(child.spec.unit, None)
        self._on_end(child)
