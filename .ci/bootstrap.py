"""Makes `.venv` ready for work: creates it, installs uv into it, and installs what uv.lock says.

`make` runs this when it is needed. It asks for nothing but the standard library, and it can be parsed by any
Python 3, so that an old one is told so. pip's settings (index-url, cert, timeout, of its files and its environment)
hold for uv too; uv's own settings win over them.
"""

import configparser
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from io import BytesIO
from pathlib import Path

WANTED = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
STAMP = VENV / ".synced"
UV_REQUIREMENT = "uv>=0.9,<1"
PYPI = "https://pypi.org/simple"


def main(only_uv):
    """Brings `.venv` to the state that the stamp file stands for; with `only_uv`, just far enough to run uv."""
    if sys.version_info < WANTED:
        use_newer_python()
    settings = pip_settings()
    if not works():
        create(settings)
    if not UV.exists():
        install_uv(settings)
    if not only_uv:
        sync(settings)
        STAMP.write_text(str(ROOT))


def use_newer_python():
    """Starts again with a python3.N of the PATH that is new enough, or ends with what to do."""
    for minor in range(WANTED[1] + 9, WANTED[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])  # noqa: S606
    fail(
        f"Squall needs Python {WANTED[0]}.{WANTED[1]} or newer; {sys.executable} is {platform.python_version()}.\n"
        "Install a newer one, or name it: make PYTHON=/path/to/python3.12"
    )


def works():
    """Whether `.venv` is whole, was made in this place, and its Python is new enough."""
    config = VENV / "pyvenv.cfg"
    made_here = not STAMP.exists() or STAMP.read_text() == str(ROOT)
    if not (config.exists() and made_here):
        return False
    check = f"import sys; sys.exit(sys.version_info < {WANTED})"
    try:
        return subprocess.run([PYTHON, "-I", "-c", check], check=False).returncode == 0
    except OSError:
        return False


def create(settings):
    """Makes an empty environment. Debian has pip for it in a package of its own; without it uv is fetched by hand."""
    with Told("creating .venv with Python " + platform.python_version()):
        check = [sys.executable, "-c", "import ensurepip; ensurepip.version()"]
        has_pip = subprocess.run(check, capture_output=True, check=False).returncode == 0
        run([sys.executable, "-m", "venv", "--clear", *([] if has_pip else ["--without-pip"]), VENV], settings)


def install_uv(settings):
    """Puts uv into `.venv`, through pip if it is there."""
    with Told("installing uv"):
        if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            run([PYTHON, "-m", "pip", "install", "--quiet", UV_REQUIREMENT], settings)
        else:
            fetch_uv(settings.get("index-url", PYPI))


def fetch_uv(index):
    """Takes the newest uv for this machine from a package index, checks its hash and unpacks it."""
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    pattern = r'<a[^>]*href="([^"#]+)#sha256=([0-9a-f]{64})"([^>]*)>\s*(uv-(0\.[\d.]+)-py3-none-(\S+)\.whl)\s*</a>'
    page_url = index.rstrip("/") + "/uv/"
    try:
        page = download(page_url).decode()
        fitting = [
            (tuple(map(int, version.split("."))), url, sha256)
            for url, sha256, marks, _, version, tags in re.findall(pattern, page)
            if libc in tags and tags.endswith(platform.machine()) and "data-yanked" not in marks
        ]
        _, url, sha256 = max(fitting)
        wheel = download(urllib.parse.urljoin(page_url, url))
    except (OSError, ValueError) as error:
        fail(
            "This Python cannot make a virtual environment with pip in it, and uv could not be fetched without it:\n"
            f"  {error}\n"
            "Install the former and run make again. On Debian and Ubuntu: apt install python3-venv"
        )
    if hashlib.sha256(wheel).hexdigest() != sha256:
        fail("uv was damaged on its way here (wrong hash); run make again.")
    with zipfile.ZipFile(BytesIO(wheel)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".data/scripts/uv")]
        partial = UV.with_suffix(".part")
        partial.write_bytes(archive.read(name))
    partial.chmod(0o755)
    partial.rename(UV)


def download(url):
    """The bytes at `url`."""
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError("not a web address: " + url)
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - looked at above
        return answer.read()


def sync(settings):
    """Installs what uv.lock says, and Squall itself in editable form.

    The lock names PyPI. Where pip is told to use another index, the same versions with the same hashes are taken
    from that one.
    """
    with Told("installing what uv.lock says"):
        if "index-url" not in settings or "UV_DEFAULT_INDEX" in os.environ or "UV_INDEX_URL" in os.environ:
            run([UV, "sync", "--locked", "--quiet"], settings)
            return
        wanted = VENV / "requirements.txt"
        run([UV, "export", "--frozen", "--quiet", "--no-emit-project", "--output-file", wanted], settings)
        install = [UV, "pip", "install", "--quiet", "--python", PYTHON, "--default-index", settings["index-url"]]
        run([*install, "--require-hashes", "--requirement", wanted], settings)
        run([*install, "--no-deps", "--editable", ROOT], settings)


def run(command, settings):
    """Runs a command with uv's environment made to agree with pip's settings; ends all if it fails."""
    environ = dict(os.environ, UV_PROJECT_ENVIRONMENT=str(VENV), UV_PYTHON_DOWNLOADS="never")
    environ.pop("VIRTUAL_ENV", None)
    if "cert" in settings:
        environ.setdefault("SSL_CERT_FILE", settings["cert"])
    if settings.get("timeout", "").isdigit():
        environ.setdefault("UV_HTTP_TIMEOUT", settings["timeout"])
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=str(ROOT), env=environ, check=False)
    if done.returncode != 0:
        hint = "\nIf it says that the lock needs an update: make lock" if "--locked" in words else ""
        fail(f"{' '.join([Path(words[0]).name, *words[1:3]])} failed; what it said is above.{hint}")


def pip_settings():
    """pip's settings from its files and its environment: names as in a file, `index-url`."""
    home = Path.home()
    files = ["/etc/pip.conf", home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    parser = configparser.RawConfigParser(strict=False)
    parser.read([*files, os.environ.get("PIP_CONFIG_FILE", "")])
    found = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update(parser.items(section))
    for variable, value in os.environ.items():
        if variable.startswith("PIP_") and value:
            found[variable[4:].lower().replace("_", "-")] = value
    if "default-timeout" in found:
        found.setdefault("timeout", found["default-timeout"])
    return found


class Told:
    """Says what is being done while it is done, and how long it took."""

    def __init__(self, words):
        self.words = words

    def __enter__(self):
        """Says it."""
        print("squall: " + self.words + " ...", flush=True)
        self.start = time.monotonic()

    def __exit__(self, kind, error, trace):
        """Says how long it took, if that was worth waiting for."""
        if kind is None and time.monotonic() - self.start > 1:
            print(f"squall:   {time.monotonic() - self.start:.1f} s", flush=True)


def fail(words):
    """Ends with a message."""
    sys.exit("squall: " + words.replace("\n", "\nsquall: "))


if __name__ == "__main__":
    main("--only-uv" in sys.argv)
