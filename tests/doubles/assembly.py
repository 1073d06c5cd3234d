"""The services put together over a real store and real journals, on a held clock and with a scripted launcher: nothing
happens by itself, so a test says what comes when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.doubles.journals import Kept
from tests.doubles.scripted import ScriptedLauncher

from squall.adapters.bus.inproc import InProcessBus
from squall.adapters.cipher import KeyFileCipher
from squall.adapters.marks.file import FileMarks
from squall.adapters.runners.local import LocalRunner
from squall.adapters.runners.noop import NoopRunner
from squall.adapters.sql.sqlite import Synchronous, open_store
from squall.adapters.vault import KeyFileVault
from squall.core.content.action import Action, Pack, RunnerType
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.execution import Execution
from squall.core.execution.launch import LaunchSpec, Outcome
from squall.core.execution.policy import Policy
from squall.core.execution.retention import Terms
from squall.core.execution.statuses import FINAL
from squall.ports import Bus, Due, Launcher, Loaded, LoadedPack, Runner, Store
from squall.services.content.content import Content
from squall.services.content.keys import Keys
from squall.services.content.registration import ActionRegistrar, Registrar, Registration
from squall.services.content.secret_results import SecretResults
from squall.services.event.feeds import Feeds
from squall.services.event.internal.executions import ExecutionEvents
from squall.services.event.internal.placing import Placing
from squall.services.event.internal.resources import KeyEvents
from squall.services.event.timers.fire_executions import FireExecutions
from squall.services.event.timers.firing import Firing
from squall.services.event.timers.timer_triggers import TimerTriggers
from squall.services.event.timers.timers import Timers
from squall.services.event.triggers.dispatching import Dispatching
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.triggers.wanted import Wanted
from squall.services.execution.binding import Binding
from squall.services.execution.claims import Claims
from squall.services.execution.control import Control
from squall.services.execution.executions import Executions, Request
from squall.services.execution.policy.admission import Admission
from squall.services.execution.policy.policies import Policies, PolicyRegistrar
from squall.services.execution.policy.retries import Retries
from squall.services.execution.reservations import Claimed, Claimer, Starting
from squall.services.execution.running import RunLimits, Running
from squall.services.execution.traces import Traces
from squall.services.execution.transitions import Follower, Transitions
from squall.services.output.journaling import Journaling
from squall.services.output.outputs import Outputs
from squall.services.output.retention import Retention
from squall.services.output.sealing import Sealing
from squall.services.output.storage import Storage
from squall.services.suspects import Suspects
from squall.testing.samples import HeldClock, sample_action, sample_pack, sample_runner, shell_spec

UTC = ZoneInfo("UTC")
LEASE = 30_000_000
POLL = 0.05
LIMITS = RunLimits(output=1 << 20, policy="truncate", result_output=1 << 16)


class GivenPacks:
    """`ports.PackSource` of what it is given; `runners` and `packs` may be changed before the next `load`."""

    def __init__(self, runners: list[RunnerType], packs: list[tuple[Pack, list[Action]]]) -> None:
        self.runners = runners
        self.packs = packs
        self.texts: dict[str, str] = {}
        self.given: dict[str, Policy] = {}

    def load(self, only: Collection[str] | None = None) -> Loaded:
        """All of it, or only these packs."""
        packs = [
            LoadedPack(pack, actions, [policy for policy in self.given.values() if policy.pack == pack.ref], {})
            for pack, actions in self.packs
            if only is None or pack.ref in only
        ]
        return Loaded(list(self.runners), packs, [], [pack.ref for pack, _ in self.packs])

    def prepared(self, refs: Collection[str], installation: str = "") -> Loaded:
        """Nothing is."""
        return Loaded([], [], [], [])

    def activate(self, refs: Collection[str], installation: str = "") -> None:
        """There is nothing to use."""

    def discard(self, refs: Collection[str], installation: str = "") -> None:
        """There is nothing to remove."""

    def write_files(self, pack: Pack, files: Mapping[str, bytes]) -> None:
        """Keeps their texts."""
        self.texts.update({name: data.decode() for name, data in files.items()})

    def remove_files(self, pack: Pack, names: Collection[str]) -> None:
        """Forgets their texts."""
        for name in names:
            self.texts.pop(name, None)

    def file(self, pack: Pack, name: str) -> bytes:
        """None are there."""
        raise NotFoundError(f'File "{name}" not found')

    def text(self, path: str) -> str:
        """The text of a file, from `texts` by the end of its path. Raises `InvalidError`."""
        for end, text in self.texts.items():
            if path.endswith(end):
                return text
        raise InvalidError(f"The file {path} cannot be read")


def sample_content() -> GivenPacks:
    """`core.local` (command, timeout, secrets), `core.noop`, and `core.greet`, whose command has a template."""
    local = sample_action(
        "core.local",
        parameters={
            "cmd": {"required": True},
            "password": {"type": "string", "secret": True},
            "options": {"type": "object", "properties": {"token": {"type": "string", "secret": True}}},
        },
    )
    greet = sample_action(
        "core.greet",
        parameters={
            "cmd": {"default": "echo hello {{ who }} {{ timeout }}", "immutable": True},
            "who": {"type": "string", "required": True},
        },
    )
    noop = sample_action("core.noop", runner_type="noop")
    actions = [greet, local, noop]
    return GivenPacks([sample_runner(), sample_runner("noop", runner_parameters={})], [(sample_pack("core"), actions)])


class Assembly:
    """The services. `store`, `bus` and `launcher` may be exchanged by others of their port before they are used."""

    def __init__(self, folder: Path, store: Store, kept: Kept, launcher: Launcher, bus: Bus) -> None:
        journal = kept.journal()
        self.kept = kept
        self.store = store
        self.bus = bus
        self.clock = HeldClock()
        self.journal = journal
        self.launcher = launcher
        self.vault = KeyFileVault.open_file(folder / "secret.key")
        self.source = sample_content()
        self.content = Content(store, self.clock, self.source)
        self.wanted = Wanted()
        self.dispatching = Dispatching(store, bus, self.clock)
        self.placing = Placing(self.dispatching, self.wanted)
        cipher = KeyFileCipher(folder / "datastore.key.json", make=True)
        self.keys = Keys(store, self.clock, cipher, KeyEvents(self.placing, bus))
        self.binding = Binding(self.vault, self.keys)
        self.admission = Admission(self.binding.reveal)
        self.traces = Traces(store, self.clock)
        fires = FireExecutions()
        followers: list[Follower] = [Retries(self.clock), fires, ExecutionEvents(self.placing, FINAL)]
        self.transitions = Transitions(
            bus, fires.entering(self.traces.join), self.admission, followers, SecretResults(self.vault)
        )
        self.marks = FileMarks(folder / "server.marks")
        self.suspects = Suspects(store, bus, self.clock, self.marks, "w1", 3.0)
        self.claims = Claims(store, bus, self.clock, self.transitions, self.suspects)
        self.policies = Policies(store, self.clock, self.admission, self.transitions)
        registrars: list[Registrar] = [
            ActionRegistrar(self.content, self.clock),
            PolicyRegistrar(self.clock, self.admission, self.transitions),
        ]
        self.registration = Registration(store, self.clock, self.source, self.content, registrars)
        self.starting = Starting()
        self.executions = Executions(
            store, bus, self.clock, self.content, self.binding, self.transitions, self.starting, "ada"
        )
        self.control = Control(store, bus, self.clock, self.transitions)
        self.outputs = Outputs(store, journal, poll=POLL, live=True)
        self.feeds = Feeds(store, bus, journal, self.outputs, poll=POLL)
        self.journaling = Journaling(store, bus, self.clock, launcher, journal, self.suspects)
        self.running = self.make_running()
        self.sealing = Sealing(store, kept.archive, launcher, self.clock, idle=0, move_after=1)
        self.retention = self.make_retention(Terms(30))
        self.storage = Storage(store, kept.archive, self.clock)
        self.triggers = Triggers(store, self.clock, [TimerTriggers(self.clock, UTC)])
        self.dispatching = Dispatching(store, bus, self.clock)
        self.firing = Firing(store, bus, self.clock, self.suspects, self.dispatching, self.transitions, UTC)
        self.timers = Timers(store, bus, self.clock, self.dispatching, UTC, 30)

    def make_retention(self, terms: Terms, moment: Callable[[str], None] = lambda _name: None) -> Retention:
        """A `Retention` with these terms; `moment` is told the names of its moments."""
        return Retention(
            self.store, self.kept.archive, self.launcher, self.journal, self.clock, terms, self.suspects, moment
        )

    def make_running(self, limits: RunLimits = LIMITS, more: Mapping[str, Runner] | None = None) -> Running:
        """A `Running` with these limits, and with `more` runners than the built-in ones."""
        runners: dict[str, Runner] = {"local-shell-cmd": LocalRunner({}, "", "/"), "noop": NoopRunner()}
        environment = {"ST2_ACTION_API_URL": "http://x/v1"}
        return Running(
            self.claims,
            self.binding,
            self.content,
            self.launcher,
            self.journal,
            {**runners, **(more or {})},
            limits,
            environment,
            "http://x",
        )

    async def request(self, action: str = "core.local", **changes: Any) -> Execution:
        """Requests an execution, of `core.local` with a command unless `changes` say otherwise."""
        changes.setdefault("parameters", {"cmd": "true"} if action == "core.local" else {})
        return await self.executions.request(Request(action=action, **changes))

    async def child_of(self, parent: Execution, **changes: Any) -> Execution:
        """Requests an execution below another."""
        return await self.request(context={"parent": {"execution_id": parent.id}}, **changes)

    async def claim(self, limit: int = 100, owner: str = "w1") -> list[Claimed]:
        """Claims what is due."""
        return await self.claims.claim(Claimer(owner, LEASE, {"hostname": "h", "pid": 1}), limit)

    async def start(self, **changes: Any) -> tuple[Due, Execution, int]:
        """Requests one execution and claims it, which must be the only one that is due."""
        await self.request(**changes)
        (claimed,) = await self.claim()
        return claimed

    async def finish(self, task: Due, execution: Execution, status: str = "succeeded", result: Any = "done") -> bool:
        """Ends a claimed execution."""
        return await self.claims.finish(task, execution, Outcome(status, result))

    async def end(self, task: Due, execution: Execution, status: str = "succeeded") -> None:
        """Ends a claimed execution, and has its end carried into the journal."""
        await self.finish(task, execution, status)
        await self.journaling.carry()

    async def done(
        self, text: bytes = b"hello\n", *, action: str = "core.local", status: str = "succeeded"
    ) -> Execution:
        """An execution that has printed `text` and ended, and its journal is complete."""
        task, execution, _ = await self.start(action=action)
        scripted(self).show(output_of(execution), text)
        await self.end(task, execution, status)
        return execution


@asynccontextmanager
async def assembled(
    folder: Path,
    *,
    bus: Bus | None = None,
    synchronous: Synchronous = "full",
    reserve: bool = False,
    boot: bytes = bytes(16),
) -> AsyncIterator[Assembly]:
    """The services in a folder of their own, with the content registered, on a machine with this boot id."""
    store = open_store(folder / "squall.db", backup_suffix=".old", synchronous=synchronous, reserve=reserve)
    kept = Kept(folder)
    launcher = ScriptedLauncher(kept.root, boot)
    made = Assembly(folder, store, kept, launcher, bus or InProcessBus())
    await made.registration.register()
    try:
        yield made
    finally:
        launcher.close()
        made.journal.close()
        kept.close()
        await store.close()


def scripted(made: Assembly) -> ScriptedLauncher:
    """The launcher of an assembly, to tell it what to do."""
    if not isinstance(made.launcher, ScriptedLauncher):
        raise TypeError("this assembly has another launcher")
    return made.launcher


def output_of(execution: Execution) -> LaunchSpec:
    """What `ScriptedLauncher.show` needs to print as this execution, though nobody has spawned it."""
    return shell_spec("", execution=execution.id, tree=execution.tree, opening=b'{"status":"running"}', opened=10**9)
