"""Builds the web page into `web/dist`, or checks its source. A checkout without node does without both."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
LOCK = ("package.json", "package-lock.json")
BUILD = (*LOCK, "tsconfig.json", "vite.config.ts", "index.html", "openapi.json", "src", "public")
CHECK = (*LOCK, "biome.json", "tsconfig.json", "vite.config.ts", "openapi.json", "src", "tests")


def build(npm):
    """Builds the page if its source has changed since."""
    stamp = WEB / "dist" / ".built"
    if up_to_date(stamp, BUILD):
        return
    print("squall: building the web page ...", flush=True)
    install(npm)
    run([npm, "run", "--silent", "build"])
    stamp.write_text(fingerprint(BUILD))


def check(npm):
    """Checks format, lint and types of the page's source, if it has changed since it passed."""
    stamp = WEB / "node_modules" / ".checked"
    if up_to_date(stamp, CHECK):
        return
    install(npm)
    types = WEB / "node_modules" / ".types"
    if not (WEB / "src" / "api" / "openapi.gen.ts").is_file() or not up_to_date(types, ("openapi.json",)):
        run([npm, "run", "--silent", "types"])
        types.write_text(fingerprint(("openapi.json",)))
    run([npm, "run", "--silent", "check"])
    stamp.write_text(fingerprint(CHECK))


def install(npm):
    """Installs what the lock file says, if something else is installed."""
    stamp = WEB / "node_modules" / ".installed"
    if not up_to_date(stamp, LOCK):
        run([npm, "ci", "--no-audit", "--no-fund", "--silent"])
        stamp.write_text(fingerprint(LOCK))


def run(command):
    """Runs a command of npm; ends this program with its output if it fails."""
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"squall: {' '.join(command[1:])} failed in {WEB}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def up_to_date(stamp, sources):
    """Whether a stamp was written for these sources as they are."""
    return stamp.is_file() and stamp.read_text() == fingerprint(sources)


def fingerprint(sources):
    """The hash of files and of all files in folders."""
    found = hashlib.sha256()
    for name in sources:
        path = WEB / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            # What the build itself makes of the others is no source.
            if file.is_file() and not file.name.endswith(".gen.ts"):
                found.update(file.relative_to(WEB).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def main(arguments):
    """Builds, or checks if `--check` is given; `--if-possible` says in one line that there is no npm."""
    npm = shutil.which("npm")
    if npm is None and "--check" in arguments:
        print("squall: there is no npm: format, lint and types of the web page are not checked")
    elif "--check" in arguments:
        check(npm)
    elif npm is not None or up_to_date(WEB / "dist" / ".built", BUILD):
        build(npm)
    elif "--if-possible" in arguments:
        print("squall: there is no npm: the web page is not built, and not tested")
    else:
        sys.exit("squall: the web page needs node and npm to be built (apt-get install nodejs npm)")


if __name__ == "__main__":
    main(sys.argv[1:])
