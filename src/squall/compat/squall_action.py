"""The program of a Python action's process: reads what to do from its standard input, runs it, writes the result.

Started as a script (`python -u squall_action.py`) it runs one action; with `--serve` it is a fork server, which makes
processes that do the same with everything imported already (see `squall_forks`). It runs under the interpreter of a
pack's virtualenv: the standard library only, and nothing newer than Python 3.8.

What it reads is one JSON object, the order: `file` (path of the action), `pack`, `parameters`, `config`, `log_level`,
`paths` (what goes to the front of `sys.path`), `user`. What it writes, to the descriptor that SQUALL_RESULT_FD names,
is `{"result": ..., "status": true, false or null}`, or `{"text": ...}` where a result without a status is no JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RESULT_FD = "SQUALL_RESULT_FD"
BAD_STATUS = 220
_BAD_STATUS_TEXT = """Status returned from the action run() method must either be True or False, got: %s
The action returned a tuple of two items, of which the first is its status. To return two values, return a list, or
(True, (first, second)).
"""
_TEXT_RESULT = re.compile(r"'result': (.*?)$")
_PIECE = 1 << 20


def read_all(fd):
    """Everything that comes through a descriptor."""
    parts = []
    while True:
        part = os.read(fd, _PIECE)
        if not part:
            return b"".join(parts)
        parts.append(part)


def take_order(data):
    """The order as a dict, and the result's descriptor; this process's input is empty from now on.

    An order that is not whole is nobody's: then this process ends.
    """
    try:
        order = json.loads(data.decode("utf-8"))
        fd = int(os.environ.pop(RESULT_FD))
        os.set_inheritable(fd, False)
    except (ValueError, KeyError, OSError) as error:
        sys.stderr.write("squall: no order for this process: %s\n" % error)
        sys.exit(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return order, fd


def set_paths(paths):
    """Puts `paths` before everything else that is imported from; this program's own folder stays last."""
    rest = [path for path in sys.path if path not in paths and os.path.abspath(path or ".") != HERE]
    sys.path[:] = [path for path in paths if path != HERE] + rest + [HERE]


def run(order, fd):
    """Runs the action and writes its result; exceptions of the action pass through."""
    from squall_loading import action_of

    set_paths(order["paths"])
    action = action_of(order)
    returned = action.run(**order["parameters"])
    write_all(fd, answer(returned))


def answer(returned):
    """What `run` returned, as the bytes of the result. A first of two items that is no status ends the process."""
    from squall_json import to_json

    status = None
    if isinstance(returned, tuple) and len(returned) == 2:
        status, returned = returned
    if status is None:
        try:
            return b'{"status":null,"result":' + to_json(returned) + b"}"
        except TypeError:
            # As StackStorm's runner finds it in the text of the whole answer.
            text = str({"result": returned, "status": None})
            match = _TEXT_RESULT.search(text)
            return b'{"text":' + to_json(readable(match.group(1) if match else text)) + b"}"
    if not isinstance(status, bool):
        sys.stderr.write(_BAD_STATUS_TEXT % (status,))
        sys.exit(BAD_STATUS)
    try:
        encoded = to_json(returned)
    except TypeError:
        encoded = to_json(readable(str(returned)))
    return b'{"status":' + (b"true" if status else b"false") + b',"result":' + encoded + b"}"


def readable(text):
    """The text with what no JSON can carry replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def write_all(fd, data):
    """Writes the whole of it and closes the descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view[:_PIECE]) :]
    os.close(fd)


def main(arguments):
    """Runs one action, or serves; the interpreter's exit does the rest, as it does for any script."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != HERE] + [HERE]
    if arguments and arguments[0] == "--serve":
        from squall_forks import serve

        data = serve(int(arguments[1]))
        if data is None:
            return
    else:
        data = read_all(0)
    sys.argv[:] = [sys.argv[0]]
    order, fd = take_order(data)
    run(order, fd)


def status_of_exit(error):
    """The exit status that `SystemExit` asks for; a text is told, as the interpreter does."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write("%s\n" % (error.code,))
    return 1


def leave(status):
    """Ends the process as the interpreter does (threads are waited for, exit functions called, output flushed), but
    without taking its memory apart first, which takes longer than most actions."""
    import atexit
    import threading

    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            status = status or 120
    os._exit(status)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
        code = 0
    except SystemExit as error:
        code = status_of_exit(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    leave(code)
