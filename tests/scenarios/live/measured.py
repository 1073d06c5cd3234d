"""A server that tells the tests what holds its event loop: `measured.py serve …` is `squall serve …`.

It measures from the moment when the server is ready: before that, opening the database and importing code keep nobody
waiting.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.stalls import FILE, append, measure


def main() -> None:
    """Runs `squall` with what was given."""
    if FILE in os.environ:
        from squall.app import App

        real = App.run

        async def run(self: App, on_ready: Callable[[App], None]) -> None:
            def ready(app: App) -> None:
                on_ready(app)
                measure(append)

            await real(self, ready)

        App.run = run  # type: ignore[method-assign]
    from squall.__main__ import main as squall

    sys.exit(squall())


if __name__ == "__main__":
    main()
