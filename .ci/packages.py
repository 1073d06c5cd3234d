"""Installs the Debian packages that tests need: when this is root and there is an apt-get; else says what is missing.

`packages.txt` lists them, with the command each brings. `make test` runs this first; when everything is there, that
is a look at the PATH. It never fails: a test that needs what is missing is skipped and says so. Nothing but the
standard library is used, and no service is started by what gets installed.
"""

import os
import shutil
import subprocess
from pathlib import Path

LIST = Path(__file__).with_name("packages.txt")
PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
POLICY = Path("/usr/sbin/policy-rc.d")
SECONDS = 600
APT = ("apt-get", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "DPkg::Lock::Timeout=120")


def wanted():
    """The packages of the list, in its order, each with the command it brings."""
    lines = (line.partition("#")[0].split() for line in LIST.read_text().splitlines())
    return {words[0]: words[1] for words in lines if words}


def missing():
    """The packages whose command is not there."""
    return [package for package, command in wanted().items() if shutil.which(command, path=PATHS) is None]


def main():
    """Installs what is missing, or says in one line why it cannot and what that means."""
    lacking = missing()
    if not lacking:
        return
    reason = obstacle()
    if reason is None:
        print(f"squall: installing {' '.join(lacking)} for the tests ...", flush=True)
        reason = install(lacking)
    lacking = missing()
    if lacking:
        print(f"squall: tests that need {', '.join(lacking)} are skipped: {reason or 'apt-get has not brought it'}")


def obstacle():
    """Why nothing can be installed here, or None."""
    if os.geteuid() != 0:
        return "only root can install packages"
    if shutil.which("apt-get", path=PATHS) is None:
        return "there is no apt-get here"
    return None


def install(packages):
    """Has apt-get install them, with its lists brought up to date if need be; gives why it failed, or None."""
    quiet = not POLICY.exists()
    if quiet:
        # Debian asks this before it starts a service; an sshd that only tests want must not listen for everybody.
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        command = ["install", "--yes", "--quiet", "--no-install-recommends", *packages]
        return apt(command) and (apt(["update", "--quiet"]) or apt(command))
    finally:
        if quiet:
            POLICY.unlink()


def apt(arguments):
    """Runs apt-get; gives the last line it said when it failed, or None."""
    environ = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        done = subprocess.run(
            [*APT, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"apt-get {arguments[0]}: {error}"
    said = done.stdout.decode(errors="replace").strip().splitlines()
    return None if done.returncode == 0 else f"apt-get {arguments[0]} said: {said[-1] if said else 'nothing'}"


if __name__ == "__main__":
    main()
