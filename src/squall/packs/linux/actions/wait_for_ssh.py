"""Waits until a host can be logged in to, with OpenSSH's client."""

import shutil
import subprocess
import time

from st2common.runners.base_action import Action


class WaitForSsh(Action):
    """`linux.wait_for_ssh`: true once a login has worked."""

    def run(
        self,
        hostname,
        port=22,
        username="stanley",
        password=None,
        keyfile=None,
        ssh_timeout=5,
        sleep_delay=20,
        retries=10,
    ):
        """Fails when no login has worked in all tries. A password needs the program sshpass."""
        words = [
            "ssh",
            "-p",
            str(port),
            "-o",
            "ConnectTimeout=%d" % ssh_timeout,
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ]
        environment = None
        if password:
            if shutil.which("sshpass") is None:
                return False, "a password needs the program sshpass on the server; or give keyfile"
            words = ["sshpass", "-e", *words]
            environment = {"SSHPASS": password, "PATH": "/usr/bin:/bin:/usr/local/bin"}
        else:
            words += ["-o", "BatchMode=yes"]
        if keyfile:
            words += ["-i", keyfile, "-o", "IdentitiesOnly=yes"]
        for number in range(1, retries + 1):
            done = subprocess.run(
                [*words, "--", "%s@%s" % (username, hostname), "true"],
                env=environment,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                return True
            self.logger.info("try %d of %d: %s", number, retries, done.stderr.strip())
            if number < retries:
                time.sleep(sleep_delay)
        return False, "%s could not be logged in to after %d tries" % (hostname, retries)
