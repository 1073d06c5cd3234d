#!/usr/bin/env python3
"""Does something with a service: by systemctl where it is, else by the command `service`."""

import os
import shutil
import sys


def main(act, service):
    """Becomes the command that does it."""
    if shutil.which("systemctl") and os.path.isdir("/run/systemd/system"):
        os.execvp("systemctl", ["systemctl", "--no-pager", act, service])
    if shutil.which("service"):
        os.execvp("service", ["service", service, act])
    sys.exit("there is neither systemctl nor service on this host")


if len(sys.argv) != 3:
    sys.exit("usage: service.py start|stop|restart|reload|status SERVICE")
main(sys.argv[1], sys.argv[2])
