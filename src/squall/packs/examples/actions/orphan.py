#!/usr/bin/env -S python3 -I -S
"""Starts a process that inherits stdout and stderr, and leaves it: whoever waits for their end waits for it."""

import argparse
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", default="300")
parser.add_argument("--detach", action="store_true")
options = parser.parse_args()
left = subprocess.Popen(["sleep", options.seconds], start_new_session=options.detach)
print(f"left {left.pid} behind")
