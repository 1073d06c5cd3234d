"""The settings: one frozen record per section, with the default and the limits of every value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from squall.core.units import GIB, KIB, MIB

MARK_SIZE: Final = {"size": True}
"""The mark of a type whose values may be written with a unit."""
Size = Annotated[int, Meta(ge=1, le=1 << 62, extra=MARK_SIZE)]
"""A number of bytes, at least one; written as a number or as `10 MiB`, `1.5 GB`."""
SizeOrNone = Annotated[int, Meta(ge=0, le=1 << 62, extra=MARK_SIZE)]
"""A number of bytes like `Size`, or 0 for no limit."""
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
"""A number of seconds, more than zero and at most a day."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`[server]`: the address, the data directory, the local users that may connect. Paths are absolute."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9101
    classic_ports: bool = False
    data_dir: Path = Path("~/.squall")
    packs_dirs: tuple[Path, ...] = ()
    allow_local_users: bool = False
    max_body_bytes: Size = 11 * MIB
    max_header_bytes: Annotated[int, Meta(ge=1024, le=16 * MIB, extra=MARK_SIZE)] = 64 * KIB
    max_headers: Annotated[int, Meta(ge=1, le=10_000)] = 100
    header_seconds: Seconds = 20.0
    body_seconds: Seconds = 30.0
    idle_seconds: Seconds = 75.0
    max_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    max_connections_per_address: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    trusted_proxies: str = ""
    shutdown_grace_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 30.0
    stop_actions: bool = False


class Actionrunner(msgspec.Struct, frozen=True, kw_only=True):
    """`[actionrunner]`: the number of actions at once, and the limits of their output and processes."""

    stream_output: bool = True
    workers: Annotated[int, Meta(ge=1, le=10_000)] = 64
    output_limit_bytes: Size = GIB
    output_limit_policy: Literal["truncate", "fail", "unlimited"] = "truncate"
    result_output_bytes: Size = 4 * MIB
    result_limit_bytes: Size = 128 * MIB
    python_runner_log_level: Literal["AUDIT", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"] = "DEBUG"
    fork_server_idle_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    system_user: str = ""
    environment: tuple[str, ...] = ()
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
    """`[ssh]`: the defaults of actions that connect to hosts. Paths are the worker's; empty paths are not used."""

    user: str = ""
    key_file: str = ""
    config_file: str = ""
    host_keys: Literal["known_hosts", "accept-new", "ignore"] = "accept-new"
    known_hosts: str = "~/.ssh/known_hosts"
    connect_timeout_seconds: Seconds = 20.0
    max_parallel: Annotated[int, Meta(ge=1, le=10_000)] = 100
    allow_partial_failure: bool = False


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """`[content]`: the folders and the installing of packs. A relative path starts at the data directory."""

    packs_base_paths: str = ""
    virtualenvs_dir: str = ""
    configs_dir: str = ""
    enable_common_libs: bool = False
    index_url: str = "https://index.stackstorm.org/v1/index.json"
    pip_options: str = ""
    max_file_bytes: Size = 64 * MIB


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """`[journal]`: the interval of forcing output to the disk, and the disk space that output must leave free."""

    fsync_seconds: Seconds = 1.0
    free_space_floor_bytes: Size = 256 * MIB


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """`[database]`: whether a commit is on the disk before its answer leaves (`full`), or some seconds later."""

    synchronous: Literal["full", "normal"] = "full"


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """`[stream]`: the event streams."""

    heartbeat_seconds: Seconds = 15.0


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """`[queue]`: the duration of a worker's lease, the interval at which workers poll without a hint, and the pause
    after a start until the server works again on what the previous server died of."""

    lease_seconds: Seconds = 60.0
    poll_seconds: Seconds = 1.0
    suspect_seconds: Annotated[float, Meta(ge=0, le=3600)] = 3.0


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """`[workflow]`: the longest evaluation of one expression, the most runs of tasks in one workflow, and the most
    levels of workflows in workflows."""

    expression_seconds: Seconds = 10.0
    most_tasks: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    most_nested: Annotated[int, Meta(ge=1, le=900)] = 500


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """`[events]`: `retention` is the number of event rows that are kept for streams that resume. With `store_internal`,
    events inside of Squall are stored although no rule waits for them."""

    retention: Annotated[int, Meta(ge=1, le=1 << 40)] = 100_000
    store_internal: bool = False


class ActionSensor(msgspec.Struct, frozen=True, kw_only=True):
    """`[action_sensor]`: whether executions make events of `core.st2.generic.actiontrigger`, and for which of their
    statuses (separated by commas)."""

    enable: bool = True
    emit_when: str = "succeeded,failed,timeout,canceled,abandoned"


class Timers(msgspec.Struct, frozen=True, kw_only=True):
    """`[timers]`: `timezone` applies to timers that name none; empty: the machine's. `missed_days` is how long records
    of fires that did not happen are kept; 0 keeps them for ever."""

    timezone: str = ""
    missed_days: Annotated[int, Meta(ge=0, le=36_500)] = 30


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """`[storage]`: the sealing of finished output, and its later move to `blobs`.

    `blobs` is a directory or `s3://bucket/prefix`; empty: sealed output stays in the data directory.
    """

    seal_after_seconds: Seconds = 60.0
    janitor_seconds: Seconds = 30.0
    blobs: str = ""
    blobs_endpoint: str = ""
    blobs_region: str = ""
    move_after_days: Annotated[int, Meta(ge=0, le=36_500)] = 7
    scrub_mb_per_hour: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """`[retention]`: the automatic removal of finished executions, of evaluated trigger instances, of enforcements, and
    of logged deliveries of webhooks. 0 days keep them for ever."""

    days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    delivery_days: Annotated[int, Meta(ge=0, le=36_500)] = 14
    max_bytes: Size = 100 * GIB
    rules: str = ""
    trigger_instance_days: Annotated[int, Meta(ge=0, le=36_500)] = 30
    enforcement_days: Annotated[int, Meta(ge=0, le=36_500)] = 90


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """`[auth]`: the authentication of requests. Passwords are in the file `htpasswd`, whose relative path starts at the
    data directory. `admins` are users, separated by commas; if empty, every user has all rights."""

    enable: bool = False
    htpasswd: str = "htpasswd"
    token_ttl_seconds: Annotated[int, Meta(ge=1, le=31_536_000)] = 86_400
    admins: str = ""


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """`[logging]`: the server's own log."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    format: Literal["auto", "human", "json"] = "auto"


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """`[bus]`: the transport of hints. `deaf` drops all hints, for tests that the server works without them, slower."""

    kind: Literal["inproc", "deaf"] = "inproc"


class Keyvalue(msgspec.Struct, frozen=True, kw_only=True):
    """`[keyvalue]`: the datastore."""

    encryption_key_path: str = ""


class System(msgspec.Struct, frozen=True, kw_only=True):
    """`[system]`: the base path of `packs`, `virtualenvs` and `configs`, and the check of results by output schemas."""

    base_path: str = ""
    validate_output_schema: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, by section. `docs/settings.md` explains each one."""

    server: Server = Server()
    actionrunner: Actionrunner = Actionrunner()
    ssh: Ssh = Ssh()
    content: Content = Content()
    journal: Journal = Journal()
    database: Database = Database()
    stream: Stream = Stream()
    queue: Queue = Queue()
    workflow: Workflow = Workflow()
    events: Events = Events()
    timers: Timers = Timers()
    action_sensor: ActionSensor = ActionSensor()
    storage: Storage = Storage()
    retention: Retention = Retention()
    auth: Auth = Auth()
    logging: Logging = Logging()
    bus: Bus = Bus()
    keyvalue: Keyvalue = Keyvalue()
    system: System = System()
