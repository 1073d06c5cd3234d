#!/usr/bin/env python3
"""Prints the processes of this host that fit, as JSON: id, name, command line, resident memory (kB), state."""

import json
import os
import sys


def processes():
    """Every process that lives long enough to be read."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/status" % pid) as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        memory = status.get("VmRSS", "0 kB").split()[0]
        yield {
            "pid": int(pid),
            "name": status.get("Name", ""),
            "cmdline": words,
            "rss": int(memory),
            "state": status.get("State", "").split(" ")[0],
        }


def main(search, criteria):
    """Prints those whose name has the criteria in it, or whose id it is; without criteria all."""
    found = []
    for process in processes():
        if not criteria or (search == "pid" and criteria == str(process["pid"])):
            found.append(process)
        elif search == "name" and (criteria in process["name"] or criteria in process["cmdline"]):
            if process["pid"] not in (os.getpid(), os.getppid()):
                found.append(process)
    print(json.dumps({"count": len(found), "processes": found}))


main(*(sys.argv[1:] + ["name", ""])[:2] if len(sys.argv) < 3 else sys.argv[1:3])
