"""Waits."""

import random as chance
import time

from st2common.runners.base_action import Action


class Pause(Action):
    """`core.pause`: tells how long it waited."""

    def run(self, max_pause, random=False):
        """Sleeps for `max_pause` seconds, or for any time up to that."""
        seconds = chance.uniform(0, max_pause) if random else max_pause
        time.sleep(seconds)
        return "Paused for %s seconds" % seconds
