"""Puts the built web page into the wheel, and builds it first where there is node. Users need none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebPage(BuildHookInterface[Any]):
    """The hook; an editable installation serves the page from its checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds `web/dist` as `squall/webpage`."""
        root = Path(self.root)
        if version == "editable" or not (root / "web" / "package.json").is_file():
            return
        subprocess.run([sys.executable, str(root / ".ci" / "web.py"), "--if-possible"], check=True)
        if (root / "web" / "dist" / "index.html").is_file():
            build_data["force_include"][str(root / "web" / "dist")] = "squall/webpage"
