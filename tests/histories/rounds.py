"""One round: clients call a real server that is killed and started again, and all histories are checked."""

from __future__ import annotations

import random
import threading
import time
from typing import NamedTuple

from tests.histories.checking import check
from tests.histories.clients import LINES, Client
from tests.histories.execution_model import Facts, model
from tests.histories.recording import Recording
from tests.scenarios.faults.mortal import Mortal

from squall.core.execution.statuses import FAILED, SUCCEEDED


class Round(NamedTuple):
    """What a round has shown: the number of executions and calls, the kills, and a text for each wrong history."""

    executions: int
    calls: int
    kills: int
    wrong: list[str]


def play(server: Mortal, seed: int, seconds: float, clients: int = 6) -> Round:
    """Lets clients call the running server for some seconds and kills it meanwhile, each by the seed. Then waits for
    the ends of all executions, reads them all, and checks the histories."""
    rng = random.Random(seed)
    recording, over = Recording(), threading.Event()
    people = [Client(f"c{number}", server, recording, rng.randrange(1 << 32), over) for number in range(clients)]
    for client in people:
        client.start()
    keepers_died = False
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            server.lives(rng.uniform(0.2, 2.0))
            if rng.random() < 0.25:
                keepers_died = True
                for keeper in server.keepers():
                    keeper.kill()
            server.kill()
            time.sleep(rng.choice((0, 0, 0.2)))
            server.again()
    finally:
        over.set()
        for client in people:
            client.join()
    for client in people:
        if client.crash is not None:
            raise client.crash
    _read_all(server, recording)
    return _checked(recording, server.kills, keepers_died)


def _read_all(server: Mortal, recording: Recording) -> None:
    """Waits until every execution has ended, and reads each in every way."""
    last = Client("last", server, recording, 0, threading.Event())
    last.read_list()
    for execution in list(recording.names):
        # One that was accepted and is gone has no end to wait for: its history is wrong.
        if server.call("GET", f"/v1/executions/{execution}").status == 200:
            server.ended(execution)
        for read in (last.read, last.read_output, last.follow):
            read(execution)
    last.read_list()


def _checked(recording: Recording, kills: int, keepers_died: bool) -> Round:
    histories = recording.histories()
    wrong = list(recording.faults)
    for execution, calls in histories.items():
        name = recording.names[execution]
        facts = Facts(
            end=FAILED if name.endswith("-fails") else SUCCEEDED,
            size=LINES * (len(name) + 1),
            may_be_abandoned=keepers_died,
        )
        failure = check(calls, model(facts))
        if failure is not None:
            wrong.append(f"execution {execution} ({name}): {failure}")
    return Round(len(histories), sum(map(len, histories.values())), kills, wrong)
