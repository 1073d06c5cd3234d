"""Packages of Python, as a site without a network has them in a folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path


def write_wheel(folder: Path, name: str, value: int) -> None:
    """A package of one module, as offline sites have them."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VALUE = {value}\n")
        about = f"{name}-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        names = [f"{name}.py", *(f"{about}/{each}" for each in ("METADATA", "WHEEL", "RECORD"))]
        wheel.writestr(f"{about}/RECORD", "".join(f"{each},,\n" for each in names))


def write_unbuildable(folder: Path, name: str) -> None:
    """A package in source form, whose build wants a command."""
    setup = b"import sys\nsys.exit('Error: pg_config executable not found.')\n"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    backend = b'[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, data in (("setup.py", setup), ("PKG-INFO", about), ("pyproject.toml", backend)):
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
