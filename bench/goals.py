"""What was promised, for a machine of two cores: the numbers of docs/ARCHITECTURE.md that these benchmarks measure."""

from __future__ import annotations

from bench.rows import Goal

LATENCY = {
    # followers: (p50, p99) of a line in ms at 200 lines a second
    1: (Goal(0.6, 0.3), Goal(2, 0.8)),
    100: (Goal(2.5, 1.5), Goal(6, 3)),
    1000: (Goal(25, 14), Goal(60, 30)),
}
THROUGHPUT = {"sse": Goal(400, 800), "raw": Goal(600, 1000)}  # MiB/s of 100-byte lines
EVENTS = (100.0, 1000.0)  # StackStorm's events: MiB/s and thousands of lines a second; the stretch is half the floor
RATE = {
    "core.noop": Goal(1000, 2000),
    "core.local": Goal(400, 700),
    "core.uuid": Goal(100, 200),
}  # finished executions per second
DONE = {
    "core.noop": Goal(4, 2),
    "core.local": Goal(7, 4),
    "core.uuid": Goal(15, 8),
}  # request to succeeded, p50 in ms
LISTING = Goal(8, 2)  # 50 of 1,000,000 executions, p50 in ms
START = Goal(0.8, 0.3)  # s to the first answer
MEMORY = Goal(110, 70)  # MB resident, idle
CLI = Goal(90, 30)  # ms
MASKING = (100, 150)  # MiB/s with 20 secrets in all their forms, nothing found
MASKING_HITS = (60, 100)  # the same with a hit every 20 KB
NEIGHBOUR = (5, 2)  # ms of another action's line, p50, beside eight masked `yes`
SERVER = (150, 110)  # MB of the server while it passes on 1 GiB
PER_ACTION = (8, 4)  # kB of the keeper for each running action
SEALED = Goal(150, 400)  # MB/s of a journal
SMALL = Goal(3_000, 10_000)  # finished small trees per second
CHILD = Goal(20, 5)  # ms, output of one child among 10,000
PURGE = Goal(60, 20)  # s for 100,000 executions
BACKLOG = Goal(40, 15)  # MB by which the server grows while it drains 10,000 executions
IDLE_QUEUE = Goal(2, 0.5)  # % of a processor that executions cost which wait for their time
STEP = Goal(5, 2)  # ms of a workflow's step with a real execution; Windmill has 34
ITEM = Goal(1, 0.4)  # ms of an item
WORKFLOWS = Goal(152, 400)  # workflows of three steps per second; Windmill has 152
FIRST_WORKFLOW = Goal(100, None)  # ms, three shell steps
STEPS = {"shell": Goal(28, 15), "python": None}  # ms of a workflow of three such steps, p50
STEPS_RATE = {"shell": Goal(90, 130), "python": None}  # such workflows per second
HOOKED = Goal(10, 5)  # ms from a webhook to its running action, p50
HOOKS_RATE = Goal(300, 800)  # webhooks per second to finished executions
EVALUATED = Goal(1_500, None)  # webhooks per second, stored and evaluated against 10 rules without a match
MANY_RULES = Goal(250, 80)  # ms for one event against 10,000 rules
BACKTEST = Goal(30, None)  # s for the backtest of an edited rule over 100,000 events
CATALOGUE = Goal(60, 15)  # s to register 169 packs of 10,244 actions
CATALOGUE_MEMORY = Goal(300, 100)  # MB that this adds at its peak
LISTED = Goal(100, 20)  # ms of a page of 10,000 actions
KEY = Goal(25, 16)  # ms from a key to what it changes
BUNDLE = Goal(150, 120)  # kB of the log page, gzipped
FIRST_PAINT = Goal(200, 100)  # ms until the end of a running log is on the screen
SHOWN = Goal(60, 25)  # ms from the print to the screen
FRAME = Goal(20, 17)  # ms; a browser without a window paints 60 times a second
TAB = Goal(150, 60)  # MB
IDLE_TIMERS = Goal(1, 0.5)  # % of a processor that timers cost which wait for their time
LATENESS = {1: Goal(20, 5), 1000: Goal(1000, 500)}  # ms, p99, by the number of timers that fire at once
