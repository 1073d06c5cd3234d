"""Every fuzz target by its name."""

from __future__ import annotations

from tests.fuzz.contract import Target
from tests.fuzz.targets import documents, expressions, journals, messages, requests, streams, values

MODULES = (journals, messages, documents, expressions, values, requests, streams)


def targets() -> dict[str, Target]:
    """Returns the targets by name."""
    return {target.name: target for module in MODULES for target in module.TARGETS}
