"""What can be set: one frozen record a section, with the default and the limits of every value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from squall.core.units import GIB, MIB

MARK_SIZE: Final = {"size": True}
"""Marks a type whose values may be written with a unit."""
Size = Annotated[int, Meta(ge=1, le=1 << 62, extra=MARK_SIZE)]
"""Bytes, at least one; written as a number or as `10 MiB`, `1.5 GB`."""
SizeOrNone = Annotated[int, Meta(ge=0, le=1 << 62, extra=MARK_SIZE)]
"""The same, or 0 for no limit of its own."""
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
"""Seconds, more than zero and at most a day."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`[server]`: where the server listens, where it keeps its data, whom it lets in. Paths are absolute."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9101
    classic_ports: bool = False
    data_dir: Path = Path("~/.squall")
    packs_dirs: tuple[Path, ...] = ()
    allow_local_users: bool = False
    max_body_bytes: Size = 10 * MIB
    shutdown_grace_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 30.0
    stop_actions: bool = False


class Actionrunner(msgspec.Struct, frozen=True, kw_only=True):
    """`[actionrunner]`: how many actions run at once, and what becomes of their output."""

    stream_output: bool = True
    workers: Annotated[int, Meta(ge=1, le=10_000)] = 64
    output_limit_bytes: Size = GIB
    output_limit_policy: Literal["truncate", "fail", "unlimited"] = "truncate"
    result_output_bytes: Size = 4 * MIB
    result_limit_bytes: Size = 128 * MIB
    python_runner_log_level: Literal["AUDIT", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"] = "DEBUG"
    fork_server_idle_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    system_user: str = ""
    http_response_bytes: Size = 16 * MIB
    umask: str = ""
    limit_open_files: Annotated[int, Meta(ge=0, le=1 << 30)] = 0
    limit_processes: Annotated[int, Meta(ge=0, le=1 << 30)] = 0
    limit_memory_bytes: SizeOrNone = 0
    limit_file_bytes: SizeOrNone = 0
    limit_cpu_seconds: Annotated[int, Meta(ge=0, le=1 << 30)] = 0
    cgroup: str = "auto"
    keepers: Annotated[int, Meta(ge=0, le=64)] = 0


class Ssh(msgspec.Struct, frozen=True, kw_only=True):
    """`[ssh]`: how actions reach hosts, unless they say otherwise. Paths are the worker's; empty ones are not used."""

    user: str = ""
    key_file: str = ""
    config_file: str = ""
    host_keys: Literal["known_hosts", "accept-new", "ignore"] = "accept-new"
    known_hosts: str = "~/.ssh/known_hosts"
    connect_timeout_seconds: Seconds = 20.0
    max_parallel: Annotated[int, Meta(ge=1, le=10_000)] = 100
    allow_partial_failure: bool = False


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """`[content]`: what belongs to packs. A relative path starts at the data directory."""

    packs_base_paths: str = ""
    virtualenvs_dir: str = ""
    configs_dir: str = ""
    enable_common_libs: bool = False
    index_url: str = "https://index.stackstorm.org/v1/index.json"
    pip_options: str = ""
    max_file_bytes: Size = 64 * MIB


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """`[journal]`: when output is forced to the disk, and how much of the disk it leaves free."""

    fsync_seconds: Seconds = 1.0
    free_space_floor_bytes: Size = 256 * MIB


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """`[stream]`: the event streams."""

    heartbeat_seconds: Seconds = 15.0


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """`[queue]`: how long a claim on a piece of work holds, and how often workers look without being told."""

    lease_seconds: Seconds = 60.0
    poll_seconds: Seconds = 1.0


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """`[workflow]`: how long one expression may take, how many runs of tasks one workflow may have, and how many
    workflows may be in each other."""

    expression_seconds: Seconds = 10.0
    most_tasks: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    most_nested: Annotated[int, Meta(ge=1, le=900)] = 500


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """`[events]`: `retention` is how many event rows are kept for streams that resume."""

    retention: Annotated[int, Meta(ge=1, le=1 << 40)] = 100_000


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """`[storage]`: when finished output is sealed, and where it goes later.

    `blobs` is a directory or `s3://bucket/prefix`; empty: sealed output stays in the data directory.
    """

    seal_after_seconds: Seconds = 60.0
    janitor_seconds: Seconds = 30.0
    blobs: str = ""
    blobs_endpoint: str = ""
    blobs_region: str = ""
    move_after_days: Annotated[int, Meta(ge=0, le=36_500)] = 7


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """`[retention]`: what of finished executions is removed by itself. `days` 0 keeps them for ever."""

    days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    max_bytes: Size = 100 * GIB
    rules: str = ""


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """`[auth]`: whether callers must say who they are. Passwords are in the file `htpasswd`, whose relative path starts
    at the data directory; `admins` are users, separated by commas: when empty, everybody administrates."""

    enable: bool = False
    htpasswd: str = "htpasswd"
    token_ttl_seconds: Annotated[int, Meta(ge=1, le=31_536_000)] = 86_400
    admins: str = ""


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """`[logging]`: the server's own log."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    format: Literal["auto", "human", "json"] = "auto"


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """`[bus]`: how hints travel. `deaf` drops all of them: slower, never wrong; it exists to prove that."""

    kind: Literal["inproc", "deaf"] = "inproc"


class Keyvalue(msgspec.Struct, frozen=True, kw_only=True):
    """`[keyvalue]`: the datastore."""

    encryption_key_path: str = ""


class System(msgspec.Struct, frozen=True, kw_only=True):
    """`[system]`: where `packs`, `virtualenvs` and `configs` are, and whether results must be what output schemas
    promise."""

    base_path: str = ""
    validate_output_schema: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, by section; `docs/settings.md` explains each."""

    server: Server = Server()
    actionrunner: Actionrunner = Actionrunner()
    ssh: Ssh = Ssh()
    content: Content = Content()
    journal: Journal = Journal()
    stream: Stream = Stream()
    queue: Queue = Queue()
    workflow: Workflow = Workflow()
    events: Events = Events()
    storage: Storage = Storage()
    retention: Retention = Retention()
    auth: Auth = Auth()
    logging: Logging = Logging()
    bus: Bus = Bus()
    keyvalue: Keyvalue = Keyvalue()
    system: System = System()
