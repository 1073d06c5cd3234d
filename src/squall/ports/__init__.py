"""The Protocols through which services use the outside: each has one or more adapters, and one contract suite.

This package has no logic. A Protocol has at most ten methods; a new adapter runs the suite of the same name in
`squall.testing`.
"""

from squall.ports.bus import Bus, BusSubscription
from squall.ports.clock import Clock
from squall.ports.launcher import Launcher, OutputText, Runner
from squall.ports.marks import Marks
from squall.ports.output.archive import BLOB, FILE, LIVE, ROW, Archive, Seal, SealRow, SealRows, Verdict
from squall.ports.output.blobs import Blobs
from squall.ports.output.journal import Journal, Watch
from squall.ports.output.lines import Lines
from squall.ports.packs import ConfigSource, Loaded, LoadedPack, PackSource
from squall.ports.store import Store
from squall.ports.tables.access import AccessRows, Passwords
from squall.ports.tables.executions import (
    ContentRows,
    Due,
    EventRows,
    ExecutionRows,
    JournalRows,
    QueueRows,
    RetentionRows,
    Tx,
)
from squall.ports.tables.gates import GateRows, KeptBackRows, SilenceRows
from squall.ports.tables.keys import Cipher, KeyRows
from squall.ports.tables.policies import PolicyRows, Slot, SlotRows, TraceRows
from squall.ports.tables.rules import EnforcementRows, RuleRows
from squall.ports.tables.scrubs import Damage, ScrubMark, ScrubRows
from squall.ports.tables.suspects import Suspect, SuspectRows
from squall.ports.tables.timers import FireRows, TimerRows
from squall.ports.tables.triggers import InstanceRows, TriggerRows, TriggerTypeRows
from squall.ports.tables.webhooks import WebhookRows
from squall.ports.tables.workflows import WorkflowRecord, WorkflowRows
from squall.ports.vault import Vault

__all__ = [
    "BLOB",
    "FILE",
    "LIVE",
    "ROW",
    "AccessRows",
    "Archive",
    "Blobs",
    "Bus",
    "BusSubscription",
    "Cipher",
    "Clock",
    "ConfigSource",
    "ContentRows",
    "Damage",
    "Due",
    "EnforcementRows",
    "EventRows",
    "ExecutionRows",
    "FireRows",
    "GateRows",
    "InstanceRows",
    "Journal",
    "JournalRows",
    "KeptBackRows",
    "KeyRows",
    "Launcher",
    "Lines",
    "Loaded",
    "LoadedPack",
    "Marks",
    "OutputText",
    "PackSource",
    "Passwords",
    "PolicyRows",
    "QueueRows",
    "RetentionRows",
    "RuleRows",
    "Runner",
    "ScrubMark",
    "ScrubRows",
    "Seal",
    "SealRow",
    "SealRows",
    "SilenceRows",
    "Slot",
    "SlotRows",
    "Store",
    "Suspect",
    "SuspectRows",
    "TimerRows",
    "TraceRows",
    "TriggerRows",
    "TriggerTypeRows",
    "Tx",
    "Vault",
    "Verdict",
    "Watch",
    "WebhookRows",
    "WorkflowRecord",
    "WorkflowRows",
]
