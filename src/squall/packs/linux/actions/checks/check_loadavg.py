#!/usr/bin/env python3
"""Prints the load averages of this host, as JSON: as they are, and divided by the number of processors."""

import json
import os
import sys

PERIODS = {"1": "1", "one": "1", "5": "5", "five": "5", "15": "15", "fifteen": "15"}


def main(period):
    """Prints all periods, or the one that is named."""
    cores = os.cpu_count() or 1
    loads = dict(zip(("1", "5", "15"), os.getloadavg()))
    wanted = [PERIODS[period]] if period in PERIODS else list(loads)
    print(json.dumps({name: {"load": loads[name], "per_cpu": round(loads[name] / cores, 4)} for name in wanted}))


main(sys.argv[1] if len(sys.argv) > 1 else "all")
