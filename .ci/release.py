"""Makes a release: joins the changelog, sets the version, keeps a data directory, commits, tags, builds with hashes.

`make release VERSION=0.2.0` runs this in the environment of a clean checkout whose tests have passed. Nothing
is published: `dist/` holds what can be, and `git push --tags` is for the one who publishes.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
VERSION = re.compile(r"\d+\.\d+\.\d+")
PLACES = {
    "pyproject.toml": re.compile(r'^version = "(.*)"$', re.MULTILINE),
    "src/squall/__init__.py": re.compile(r'^__version__ = "(.*)"$', re.MULTILINE),
}


def main(version):
    """Makes the release `version`, or ends with what is in its way; then nothing was changed."""
    check(version)
    set_version(version)
    run(sys.executable, "-m", "towncrier", "build", "--yes", "--version", version)
    run(sys.executable, ".ci/bootstrap.py", "--only-uv")
    run(".venv/bin/uv", "lock", "--quiet")
    # Later versions must be able to open what this one has stored.
    run(sys.executable, "-m", "tests.upgrade.keep", version)
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", f"Release {version}")
    shutil.rmtree(DIST, ignore_errors=True)
    run(".venv/bin/uv", "build", "--quiet", "--out-dir", str(DIST))
    write_hashes()
    run("git", "tag", "--annotate", f"v{version}", "--message", f"Squall {version}")
    following = next_version(version)
    set_version(following)
    run(".venv/bin/uv", "lock", "--quiet")
    run("git", "commit", "--quiet", "--all", "--message", f"Work on {following} begins")
    print(f"squall: release {version} is in {DIST}, and tagged as v{version}")


def check(version):
    """Ends with a message if `version` is none, is not newer than the last tag, or the checkout is not clean."""
    if not VERSION.fullmatch(version):
        fail(f"{version or 'nothing'} is no version: give one such as VERSION=0.2.0")
    if output("git", "status", "--porcelain"):
        fail("the checkout has changes: commit them first")
    tags = [tag.removeprefix("v") for tag in output("git", "tag", "--list", "v*").split()]
    older = [tag for tag in tags if VERSION.fullmatch(tag) and numbers(tag) >= numbers(version)]
    if older:
        fail(f"{version} is not newer than {max(older, key=numbers)}, which has been released")
    if not [path for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]:
        fail("there is no fragment in changes/: nothing has changed that a user can notice")


def numbers(version):
    """The parts of a version, for comparing."""
    return tuple(map(int, version.split(".")))


def next_version(version):
    """The version of what is worked on after a release: the next minor one, marked as not released."""
    major, minor, _ = numbers(version)
    return f"{major}.{minor + 1}.0.dev0"


def set_version(version):
    """Writes `version` wherever the code says it."""
    for name, pattern in PLACES.items():
        path = ROOT / name
        text = path.read_text()
        start, end = pattern.search(text).span(1)
        path.write_text(text[:start] + version + text[end:])


def write_hashes():
    """Writes `SHA256SUMS` beside what was built, in the form of `sha256sum --check`."""
    built = sorted(path for path in DIST.iterdir() if path.suffix in (".whl", ".gz"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in built]
    (DIST / "SHA256SUMS").write_text("".join(lines))


def run(*command):
    """Runs a command in the checkout; ends all if it fails."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        fail(f"{' '.join(command[:3])} failed; what it said is above. See what has changed with: git status")


def output(*command):
    """What a command prints."""
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def fail(words):
    """Ends with a message."""
    sys.exit("squall: " + words)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
