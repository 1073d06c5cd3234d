"""Assembles the parts of a server: adapters, services, roles and routes.

`app.build` is the only caller. Each function builds one layer from the layers below it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from squall import __version__
from squall.adapters.evaluation.processes import EVALUATIONS
from squall.adapters.htpasswd import HtpasswdFile
from squall.adapters.installing.index import fetch_index
from squall.adapters.memory import return_free_memory
from squall.adapters.packs.configs import ConfigFiles
from squall.adapters.packs.folders import PackFolders
from squall.api.access.auth import AuthRoutes
from squall.api.content.actions import ActionRoutes
from squall.api.content.installing import InstallRoutes
from squall.api.content.keys import KeyRoutes
from squall.api.content.packs import PackRoutes
from squall.api.content.schema_files import SchemaRoutes
from squall.api.event.events import EventRoutes
from squall.api.event.watch import WatchRoutes
from squall.api.execution.executions import ExecutionRoutes
from squall.api.execution.inquiries import InquiryRoutes
from squall.api.execution.policies import PolicyRoutes
from squall.api.execution.suspects import SuspectRoutes
from squall.api.execution.traces import TraceRoutes
from squall.api.execution.views import Views
from squall.api.http.openapi import OpenApiRoutes
from squall.api.http.routes import Route
from squall.api.output.output import OutputRoutes
from squall.api.output.output_views import OutputViewRoutes
from squall.api.output.storage import StorageRoutes
from squall.api.output.tails import StreamSources
from squall.api.registry import RegistryRoutes
from squall.api.root import RootRoutes
from squall.api.workflow.workflows import WorkflowRoutes
from squall.assembly import arguments, key_files, reacting
from squall.assembly.conducting import Conducting, Ground, conducting
from squall.assembly.folders import pack_folders
from squall.assembly.outside import Outside, Role
from squall.assembly.plugins import runners
from squall.assembly.reacting import Inside, Reacting
from squall.config import Settings
from squall.roles.carrier import Carrier
from squall.roles.janitor import Chore, Janitor
from squall.roles.line_counter import LineCounting
from squall.roles.worker import Worker
from squall.server import datadir
from squall.services.access.access import Access, Rules
from squall.services.content.action_editing import ActionEditing
from squall.services.content.content import Content
from squall.services.content.keys import Keys
from squall.services.content.pack_configs import PackConfigs
from squall.services.content.registration import ActionRegistrar, Registrar, Registration
from squall.services.content.secret_results import SecretResults
from squall.services.content.templates import Templates
from squall.services.due import SOON, seconds_until_due
from squall.services.event.feeds import Feeds
from squall.services.event.timers.fire_executions import FireExecutions
from squall.services.execution.binding import Binding
from squall.services.execution.claims import Claims
from squall.services.execution.completing import Completing
from squall.services.execution.control import Control
from squall.services.execution.executions import Executions
from squall.services.execution.inquiries import Inquiries
from squall.services.execution.policy.admission import Admission
from squall.services.execution.policy.policies import Policies, PolicyRegistrar
from squall.services.execution.policy.retries import Retries
from squall.services.execution.reservations import Starting
from squall.services.execution.running import Running
from squall.services.execution.traces import Traces
from squall.services.execution.transitions import Follower, Transitions
from squall.services.execution.waiting import Waiting
from squall.services.health import Health
from squall.services.holdups import Holdups
from squall.services.lanes import ADVANCE, JOURNAL
from squall.services.output import journaling
from squall.services.output.journaling import Journaling
from squall.services.output.line_reading import LineReading
from squall.services.output.outputs import Outputs
from squall.services.output.retention import Retention
from squall.services.output.scrubbing import Scrubbing
from squall.services.output.sealing import Sealing
from squall.services.output.storage import Storage
from squall.services.suspects import Suspects
from squall.services.workflow import workflows

OLDER_IDENTITY = "local"
"""The name under which servers of version 0.1.0 hold leases."""

_SWEEP_EVERY = 10
"""The retention sweep runs once in so many intervals of the janitor."""

_INQUIRIES_EVERY = 10.0


class Services(NamedTuple):
    """The use cases."""

    access: Access
    content: Content
    registration: Registration
    editing: ActionEditing
    executions: Executions
    control: Control
    starting: Starting
    claims: Claims
    outputs: Outputs
    feeds: Feeds
    inquiries: Inquiries
    running: Running
    journaling: Journaling
    sealing: Sealing
    retention: Retention
    storage: Storage
    policies: Policies
    traces: Traces
    keys: Keys
    binding: Binding
    lines: LineReading
    conducting: Conducting
    reacting: Reacting
    configs: PackConfigs
    holdups: Holdups
    suspects: Suspects
    health: Health


def services(settings: Settings, out: Outside, url: str) -> Services:
    """Creates the services. `url` is the address of the API."""
    poll = settings.queue.poll_seconds
    user = arguments.local_user()
    folders = pack_folders(settings)
    content = Content(out.store, out.clock, folders)
    within = reacting.inside(settings, out)
    keys = Keys(out.store, out.clock, key_files.cipher(settings), within.keys)
    config_files = ConfigFiles(arguments.below(settings, settings.content.configs_dir, "configs"), out.vault.open)
    templates = Templates(out.evaluator, ThreadPoolExecutor(EVALUATIONS, "templates"))
    configs = PackConfigs(content, config_files, keys, out.vault, templates)
    access = _access(settings, out, user)
    binding, traces = Binding(out.vault, keys, content, configs, templates), Traces(out.store, out.clock)
    admission = Admission(binding.reveal)
    secrets, holdups = SecretResults(out.vault), Holdups()
    transitions = _transitions(out, traces, admission, secrets, within)
    suspects = Suspects(out.store, out.bus, out.clock, out.marks, out.identity, settings.queue.suspect_seconds)
    claims = Claims(out.store, out.bus, out.clock, transitions, suspects)
    policies = PolicyRegistrar(out.clock, admission, transitions)
    registrars: list[Registrar] = [ActionRegistrar(content, out.clock), policies]
    starting = Starting()
    executions = Executions(out.store, out.bus, out.clock, content, binding, transitions, starting, user)
    ground = Ground(out, content, binding, executions, starting, transitions, keys, holdups, suspects)
    events = reacting.reacting(settings, ground, within, user)
    outputs = Outputs(out.store, out.journal, poll=poll, live=settings.actionrunner.stream_output)
    return Services(
        access=access,
        content=content,
        registration=_registration(out, folders, content, registrars, events),
        editing=ActionEditing(out.store, out.clock, content, folders, within.files),
        executions=executions,
        control=Control(out.store, out.bus, out.clock, transitions),
        starting=starting,
        claims=claims,
        outputs=outputs,
        feeds=Feeds(out.store, out.bus, out.journal, outputs, poll=poll),
        configs=configs,
        running=_running(settings, out, content, claims, binding, url, access, configs, holdups),
        holdups=holdups,
        suspects=suspects,
        health=Health(out.store, out.clock, partial(datadir.check_writable, settings.server.data_dir)),
        inquiries=Inquiries(out.store, out.clock, out.vault, transitions),
        journaling=Journaling(out.store, out.bus, out.clock, out.launcher, out.journal, suspects),
        sealing=_sealing(settings, out),
        retention=Retention(
            out.store, out.archive, out.launcher, out.journal, out.clock, arguments.terms(settings), suspects
        ),
        storage=Storage(out.store, out.archive, out.clock),
        keys=keys,
        binding=binding,
        lines=LineReading(out.lines, outputs),
        conducting=conducting(settings.workflow, ground, url),
        policies=Policies(out.store, out.clock, admission, transitions),
        traces=traces,
        reacting=events,
    )


def _registration(
    out: Outside, folders: PackFolders, content: Content, registrars: Sequence[Registrar], events: Reacting
) -> Registration:
    first = [*registrars, events.type_registrar]
    return Registration(out.store, out.clock, folders, content, first, [events.rule_registrar])


def _sealing(settings: Settings, out: Outside) -> Sealing:
    return Sealing(
        out.store,
        out.archive,
        out.launcher,
        out.clock,
        idle=settings.storage.seal_after_seconds,
        move_after=settings.storage.move_after_days if settings.storage.blobs else None,
    )


def _transitions(
    out: Outside, traces: Traces, admission: Admission, secrets: SecretResults, within: Inside
) -> Transitions:
    fires = FireExecutions()
    # The execution that a retry requests is known before the failed one has ended for its timer.
    followers: list[Follower] = [Retries(out.clock), fires, within.executions]
    return Transitions(out.bus, fires.entering(traces.join), admission, followers, secrets)


def _access(settings: Settings, out: Outside, user: str) -> Access:
    section = settings.auth
    names = [name.strip() for name in section.admins.split(",")]
    rules = Rules(
        enabled=section.enable,
        user=user,
        admins=tuple(name for name in names if name),
        token_ttl=section.token_ttl_seconds,
    )
    passwords = HtpasswdFile(settings.server.data_dir / section.htpasswd)
    if section.enable:
        # A file that cannot be read stops the start instead of each log-in.
        passwords.knows("")
    return Access(out.store, out.bus, out.clock, passwords, rules)


def _running(
    settings: Settings,
    out: Outside,
    content: Content,
    claims: Claims,
    binding: Binding,
    url: str,
    access: Access,
    configs: PackConfigs,
    holdups: Holdups,
) -> Running:
    limits = arguments.limits(settings.actionrunner, settings.system.validate_output_schema)
    by_type = runners(
        arguments.environments(settings).actions,
        settings.actionrunner.system_user,
        str(Path.cwd()),
        arguments.ssh(settings),
        settings.actionrunner.http_response_bytes,
        places=arguments.places(settings),
        reaching=arguments.environments(settings).reaching,
    )
    environment: Mapping[str, str] = {"ST2_ACTION_API_URL": f"{url}/v1"}
    return Running(
        claims,
        binding,
        content,
        out.launcher,
        out.journal,
        by_type,
        limits,
        environment,
        url,
        configs=configs,
        tokens=access,
        holdups=holdups,
    )


def make_worker(settings: Settings, out: Outside, use: Services) -> Worker:
    """Creates the worker."""
    return Worker(
        use.control,
        use.claims,
        use.running,
        out.launcher,
        out.store,
        out.bus,
        out.clock,
        use.starting,
        owner=out.identity,
        slots=settings.actionrunner.workers,
        lease=settings.queue.lease_seconds,
        poll=settings.queue.poll_seconds,
    )


def roles(settings: Settings, out: Outside, use: Services, worker: Worker) -> tuple[list[Role], list[Role]]:
    """Returns the roles that run as long as the server: those that begin when the keepers are known, and those that
    claim rows of the queue, which begin when the leases of an earlier server are free."""
    poll = settings.queue.poll_seconds
    return [out.role, use.feeds, LineCounting(use.lines, out.bus, poll=poll)], [
        worker,
        Carrier(
            ADVANCE,
            use.conducting.workflows.advance,
            workflows.MOST,
            out.bus,
            poll=poll,
            until_due=partial(seconds_until_due, out.store, out.clock, ADVANCE, poll),
            soon=SOON,
        ),
        Carrier(JOURNAL, lambda _group: use.journaling.carry(), journaling.MOST, out.bus, poll=poll),
        *reacting.roles(settings, out, use.reacting),
        Janitor(_chores(settings, out, use)),
    ]


def _chores(settings: Settings, out: Outside, use: Services) -> list[Chore]:
    every = settings.storage.janitor_seconds
    scrubbing = Scrubbing(out.store, use.storage, out.clock, settings.storage.scrub_mb_per_hour, seconds=every)
    return [
        Chore("caches", every, use.outputs.clear_caches),
        Chore("memory", every, lambda: asyncio.to_thread(return_free_memory)),
        Chore("events", every, lambda: out.store.tx(lambda tx: tx.events.prune(settings.events.retention))),
        Chore("inquiries", min(every, _INQUIRIES_EVERY), use.inquiries.sweep),
        Chore("tokens", every, use.access.prune),
        Chore("sealing", every, use.sealing.seal),
        Chore("moving", every, use.sealing.move),
        Chore("scrubbing", every, scrubbing.scrub),
        Chore("removing", every, use.retention.carry),
        Chore("keys", every, use.keys.expire),
        *reacting.chores(settings, use.reacting),
        Chore("retention", every * _SWEEP_EVERY, use.retention.sweep),
        Chore("history", every * _SWEEP_EVERY, use.reacting.history.sweep),
    ]


def routes(settings: Settings, out: Outside, use: Services, worker: Worker, url: str) -> list[Route]:
    """Returns the routes of the API."""
    waiting = Waiting(
        out.store,
        out.clock,
        out.launcher.waiting,
        use.holdups.reason,
        use.suspects.reason,
        worker.room,
        use.running.runners(),
    )
    views = Views(use.content, use.binding.reveal, waiting, use.reacting.views, url)
    heartbeat = settings.stream.heartbeat_seconds
    sources = StreamSources(use.executions, use.outputs, use.feeds, views, out.clock.now, heartbeat)
    completing = Completing(out.store, out.bus, SecretResults(out.vault), poll=settings.queue.poll_seconds)
    table = [
        *RootRoutes(use.health, use.outputs, __version__, worker.running, use.suspects.aside).routes(),
        *AuthRoutes(use.access, f"{url}/api/v1").routes(),
        *ExecutionRoutes(use.executions, use.control, views, use.conducting.reruns, completing).routes(),
        *OutputRoutes(use.executions, use.outputs, use.lines, out.clock.now, heartbeat=heartbeat).routes(),
        *OutputViewRoutes(use.executions, use.outputs, use.lines, use.storage.digest).routes(),
        *EventRoutes(sources).routes(),
        *WatchRoutes(sources).routes(),
        *WorkflowRoutes(use.conducting.definitions, use.executions, use.conducting.graphs).routes(),
        *ActionRoutes(use.content, use.editing).routes(),
        *InstallRoutes(
            use.content,
            use.executions,
            use.registration.forget,
            partial(fetch_index, arguments.installing(settings).index_urls),
        ).routes(),
        *PackRoutes(use.content, use.configs, use.registration).routes(),
        *InquiryRoutes(use.inquiries).routes(),
        *reacting.routes(settings, out, use.reacting, sources, url),
        *KeyRoutes(use.keys, out.launcher.add_secrets).routes(),
        *PolicyRoutes(use.policies).routes(),
        *TraceRoutes(use.traces).routes(),
        *SuspectRoutes(use.suspects).routes(),
        *StorageRoutes(use.storage, use.retention, use.executions, out.clock.now).routes(),
        *RegistryRoutes(url).routes(),
        *SchemaRoutes().routes(),
    ]
    return [*table, *OpenApiRoutes(__version__, table).routes()]
