"""The examples in the help of `squall` and in that of each group of commands."""

from __future__ import annotations

from collections.abc import Mapping

OVERVIEW = (
    "squall run examples.countdown count=5",
    "squall run core.local -- uname -a",
    "squall run core.local --help",
    "squall tail last",
)
_ID = "6a1b2c3d4e5f60718293a4b5"
OF_GROUPS: Mapping[str, tuple[str, ...]] = {
    "execution": (
        "squall execution list --status failed",
        "squall execution get last",
        "squall execution re-run last --from-failed",
        "squall execution cancel last",
    ),
    "inquiry": ("squall inquiry list", f"squall inquiry respond {_ID} continue=true"),
    "action": ("squall action list --pack core", "squall action get core.local", "squall action create action.yaml"),
    "runner": ("squall runner list",),
    "pack": (
        "squall pack search chat",
        "squall pack install ./acme",
        "squall pack register acme",
        "squall pack lint packs/acme",
    ),
    "workflow": (
        "squall workflow lint packs/acme/actions/workflows/*.yaml",
        "squall workflow graph packs/acme/actions/workflows/deploy.yaml",
    ),
    "rule": (
        "squall rule create on_alert.yaml",
        "squall rule list --pack acme",
        "squall rule get acme.on_alert",
        "squall rule test packs/acme/tests/rules",
    ),
    "trigger": (
        "squall trigger instances --type core.st2.webhook",
        "squall trigger emit acme.alert '{\"severity\": 5}'",
        f"squall trigger re-emit {_ID}",
    ),
    "silence": (
        "squall silence add --rule acme.on_alert --until 2h --reason maintenance",
        "squall silence list",
    ),
    "webhook": (
        "squall webhook list",
        "squall webhook send acme/deploy --data '{\"version\": 7}' --follow",
        "squall webhook deliveries acme/deploy",
    ),
    "timer": (
        "squall timer list",
        "squall timer preview acme.nightly",
        "squall timer pause acme.nightly --for 2h --reason maintenance",
    ),
    "key": ("squall key set region eu", "squall key set -e db.password", "squall key get region"),
    "config": ("squall config show", "squall config show --config squall.toml"),
    "queue": ("squall queue list", f"squall queue retry {_ID}"),
    "user": ("squall user add ada", "squall user passwd ada", "squall user list"),
}
"""The examples of each group, by the first word of its commands."""


def examples(group: str | None) -> str:
    """Returns the lines of the examples of a group of commands; those of `squall` itself for None."""
    lines = OVERVIEW if group is None else OF_GROUPS[group]
    return "examples:\n" + "".join(f"  {line}\n" for line in lines)
