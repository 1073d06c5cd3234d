"""The decision about colours: by the option `--color`, then `NO_COLOR`, then the kind of output."""

from __future__ import annotations

from collections.abc import Mapping

CHOICES = ("auto", "always", "never")


def coloured(choice: str | None, environ: Mapping[str, str], is_terminal: bool) -> bool:
    """Returns True if text gets colours. `choice` is the value of `--color`, if given."""
    if choice in ("always", "never"):
        return choice == "always"
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
