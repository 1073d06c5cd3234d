"""Asks name servers with the program `dig`."""

import random
import shutil
import subprocess

from st2common.runners.base_action import Action


class Dig(Action):
    """`linux.dig`: the lines of the answer."""

    def run(self, hostname, nameserver=None, querytype="A", queryopts="short", count=0, rand=False):
        """Fails where dig is not installed, or cannot reach the name server."""
        program = shutil.which("dig")
        if program is None:
            return False, "dig is not installed on the server (package dnsutils or bind-utils)"
        words = [program]
        if nameserver:
            words.append("@" + nameserver)
        words += [hostname, querytype]
        words += ["+" + option.strip() for option in queryopts.split(",") if option.strip()]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line]
        if done.returncode:
            return False, (done.stderr or done.stdout).strip()
        if rand:
            random.shuffle(lines)
        return True, lines[:count] if count > 0 else lines
