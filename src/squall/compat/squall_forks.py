"""The fork server: has imported what most actions import, and becomes a fresh process for each of them.

Its one descriptor is a socket of datagrams to the keeper. A request carries the ends of an action's pipes (standard
input, output, errors, result, and tagged output where there is some); the answer is the pid of the process that has
them now, or 0. That process is forked twice, so that its parent is the keeper and not this server. Before it does
anything it reads its order from its standard input: whoever asked knows its pid by then, and what was never ordered
ends by itself. Nothing of a pack is ever imported here. Standard library only, Python 3.8.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import signal
import socket
import sys

FDS = (4, 5)
_REQUEST = 64
_STANDARD = (
    "argparse ast base64 calendar collections concurrent.futures configparser contextlib copy csv datetime decimal "
    "email.mime.multipart email.mime.text enum fnmatch functools getpass glob hashlib hmac html http.client inspect io "
    "itertools json logging math operator os platform pprint queue random re shlex shutil smtplib socket ssl string "
    "subprocess tempfile textwrap threading time traceback typing urllib.parse urllib.request uuid warnings "
    "xml.etree.ElementTree zipfile"
).split()
_OURS = (
    "squall_action squall_json squall_loading squall_service st2common.runners.base_action st2common.runners.utils "
    "st2common.log st2common.util.isotime st2common.util.date"
).split()
_LIBRARIES = ["six", "yaml", "requests", "dateutil.parser", "pytz", "simplejson"]


def serve(number, prepare=None):
    """Answers requests until the keeper is gone, then gives None; in a process made for an action, gives its order.

    Before the first, `prepare` (None: `preload`) is called.
    """
    link = socket.socket(fileno=number)
    os.set_inheritable(number, False)
    (prepare or preload)()
    link.send(b"ready")
    while True:
        try:
            message, ancillary, _, _ = link.recvmsg(_REQUEST, socket.CMSG_SPACE(max(FDS) * 4))
        except InterruptedError:
            continue
        fds = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not message:
            return None
        if len(fds) in FDS:
            mine, theirs = os.pipe()
            first = os.fork()
            if first == 0:
                os.close(mine)
                if _again(theirs):
                    link.close()
                    return _become(list(fds))
            os.close(theirs)
            pid = os.read(mine, 16)
            os.close(mine)
            os.waitpid(first, 0)
            link.send(message + b" " + (pid or b"0"))
        for fd in fds:
            os.close(fd)


def preload():
    """Imports what actions are likely to; what is not installed is left out."""
    for name in _STANDARD + _OURS + _LIBRARIES:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: S112 - a library that is broken is the action's to report
            continue
    gc.collect()
    gc.freeze()


def _again(theirs):
    """In the first process: forks, tells the pid, and ends. True in the second one."""
    try:
        pid = os.fork()
    except OSError:
        os._exit(1)
    if pid:
        os.write(theirs, b"%d" % pid)
        os._exit(0)
    os.close(theirs)
    return True


def _become(fds):
    """Turns this process into an action's, with its pipes, session, environment and limits; gives its order."""
    try:
        os.setsid()
        for number, fd in enumerate(fds[:3]):
            os.dup2(fd, number)
        result = os.dup(fds[3])
        records = os.dup(fds[4]) if len(fds) > 4 else None
        for fd in fds:
            os.close(fd)
        data = _read_order()
        head, _, order = data.partition(b"\n")
        if not order:
            os._exit(1)
        _settle(json.loads(head.decode("utf-8")))
        os.environ["SQUALL_RESULT_FD"] = str(result)
        if records is not None:
            os.environ["SQUALL_RECORDS_FD"] = str(records)
        return order
    except BaseException as error:
        sys.stderr.write("squall: the process of this action could not be prepared: %r\n" % error)
        sys.stderr.flush()
        os._exit(1)


def _read_order():
    from squall_action import read_all

    return read_all(0)


def _settle(setting):
    """The environment, folder, umask and limits that the keeper gives a process it starts itself."""
    import resource
    import time

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(setting["env"])
    time.tzset()
    if setting["umask"] is not None:
        os.umask(setting["umask"])
    for number, value in setting["limits"]:
        most = resource.getrlimit(number)[1]
        least = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(number, (least, least))
    if setting["cwd"]:
        os.chdir(setting["cwd"])
