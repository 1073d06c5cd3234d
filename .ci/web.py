"""Builds the web page into `web/dist`, if its source has changed since. A checkout without node does without it."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
STAMP = WEB / "dist" / ".built"
SOURCES = (
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "index.html",
    "openapi.json",
    "src",
    "public",
)


def main(only_when_there_is_node):
    """Builds; says in one line why it could not."""
    wanted = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        if only_when_there_is_node:
            print("squall: there is no npm: the web page is not built, and not tested")
            return
        sys.exit("squall: the web page needs node and npm to be built (apt-get install nodejs npm)")
    print("squall: building the web page ...", flush=True)
    for command in ([npm, "ci", "--no-audit", "--no-fund", "--silent"], [npm, "run", "--silent", "build"]):
        done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"squall: {' '.join(command[1:])} failed in {WEB}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    STAMP.write_text(wanted)


def fingerprint():
    """What the page is built from."""
    found = hashlib.sha256()
    for name in SOURCES:
        path = WEB / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            # What the build itself makes of the others is no source.
            if file.is_file() and not file.name.endswith(".gen.ts"):
                found.update(file.relative_to(WEB).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    main("--if-possible" in sys.argv)
