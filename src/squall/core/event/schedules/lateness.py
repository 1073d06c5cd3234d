"""The policy of a timer: what becomes of fires that the server missed, and of fires while an earlier one still runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.schedules.fire import SECOND
from squall.core.event.schedules.quoting import quoted

MISFIRE: Final = ("skip", "once", "all")
OVERLAP: Final = ("allow", "skip", "buffer_one", "buffer_all", "cancel_other")
FIELDS: Final = ("misfire", "misfire_window", "misfire_most", "overlap", "jitter")
"""The parameters of a timer that belong to its policy."""

_SPAN: Final = re.compile(r"([0-9]{1,9}) *([smhd]?)", re.ASCII)
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST: Final = 366 * 86_400
_MOST: Final = 1_000


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a timer treats late and overlapping fires.

    Of the missed fires that are at most `window` (µs) old, `misfire` lets none happen (`skip`), the last (`once`), or
    the newest `most` (`all`). `overlap` is one of `OVERLAP` (`at_overlap`). `jitter` (µs) is the longest delay of what
    a fire starts (`delay`).
    """

    misfire: str = "once"
    window: int = 3_600 * SECOND
    most: int = 100
    overlap: str = "allow"
    jitter: int = 0


def parse_policy(parameters: Mapping[str, Any]) -> Policy:
    """Reads the parameters of a policy: `FIELDS`; others are ignored, and absent ones have the defaults of `Policy`.

    Spans are seconds or texts such as `90s`, `5m`, `1h` and `2d`. Raises `InvalidError`, which names the field and what
    it allows.
    """
    default = Policy()
    most = parameters.get("misfire_most")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= _MOST):
        raise InvalidError(f"misfire_most: {quoted(most)} is not valid. Use a whole number from 1 to {_MOST}.")
    return Policy(
        misfire=_choice(parameters, "misfire", MISFIRE, default.misfire),
        window=_span(parameters, "misfire_window", default.window),
        most=default.most if most is None else most,
        overlap=_choice(parameters, "overlap", OVERLAP, default.overlap),
        jitter=_span(parameters, "jitter", default.jitter),
    )


def delay(schedule_id: str, nominal: int, policy: Policy) -> int:
    """Returns the delay (µs, from 0 to the policy's jitter) of what the fire at `nominal` (µs since 1970) starts.

    It depends on its arguments alone, so all servers compute the same after each start.
    """
    digest = hashlib.sha256(f"{schedule_id} {nominal}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (policy.jitter + 1)


def at_overlap(policy: Policy, running: int, waiting: int) -> Literal["start", "skip", "wait", "cancel"]:
    """Decides about a fire while `running` executions of earlier fires run and `waiting` fires wait for them.

    `cancel` cancels those that run and then starts.
    """
    if policy.overlap == "allow" or (running == 0 and waiting == 0):
        return "start"
    if policy.overlap == "buffer_all" or (policy.overlap == "buffer_one" and waiting == 0):
        return "wait"
    return "cancel" if policy.overlap == "cancel_other" else "skip"


def _choice(parameters: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    value = parameters.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or value not in choices:
        raise InvalidError(f"{name}: {quoted(value)} is not valid. Use one of: {', '.join(choices)}.")
    return value


def _span(parameters: Mapping[str, Any], name: str, default: int) -> int:
    value = parameters.get(name)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LONGEST:
        return value * SECOND
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    seconds = int(match[1]) * _UNITS[match[2]] if match else -1
    if not 0 <= seconds <= _LONGEST:
        raise InvalidError(
            f"{name}: {quoted(value)} is not a span of at most 366 days. Use seconds, or 90s, 5m, 1h or 2d."
        )
    return seconds * SECOND
