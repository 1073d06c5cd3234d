"""The commands of `squall` with their summaries, the help that lists them, and suggestions for mistyped names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from squall.client.closest import closest


class Command(NamedTuple):
    """A command in the help. The `VERBS` of `module` below `squall.cli` have it; None: it runs outside the client."""

    name: str
    module: str | None
    summary: str


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "running",
        (
            Command("run", "execution.run", "start an action and show its output; the exit status is its outcome"),
            Command("execution cancel", "execution.executions", "cancel executions"),
            Command("execution re-run", "execution.executions", "run an execution again and show its output"),
            Command("execution pause", "execution.executions", "pause workflows; no new task starts"),
            Command("execution resume", "execution.executions", "resume paused workflows"),
            Command("inquiry list", "execution.inquiries", "list the questions that wait for an answer"),
            Command("inquiry get", "execution.inquiries", "show one question and the schema of its answer"),
            Command("inquiry respond", "execution.inquiries", "answer a question, by arguments or by prompts"),
        ),
    ),
    (
        "showing",
        (
            Command("tail", "output.tail", "show the output of an execution, then follow it"),
            Command("open", "execution.opening", "print an execution's web address; open it at a desktop"),
            Command("execution list", "execution.executions", "list the newest executions"),
            Command("execution get", "execution.executions", "show one execution with its result"),
            Command("output", "output.output", "print the output of an execution so far, as text or exact bytes"),
            Command("output stats", "output.output", "show the size and the times of an execution's output"),
            Command("output verify", "output.verify", "check that the stored output of an execution is undamaged"),
        ),
    ),
    (
        "actions",
        (
            Command("action list", "content.actions", "list the actions"),
            Command("action get", "content.actions", "show one action and its parameters"),
            Command("action create", "content.actions", "create an action from a metadata file and its entry point"),
            Command("action delete", "content.actions", "remove actions that were created so"),
            Command("action doctor", "content.actions", "explain why an action's output may come late"),
            Command("runner list", "content.runners", "list the runners"),
        ),
    ),
    (
        "packs",
        (
            Command("pack list", "content.packs", "list the packs"),
            Command("pack get", "content.packs", "show one pack, its files and its configuration"),
            Command("pack register", "content.packs", "register packs from their folders again"),
            Command("pack reload", "content.packs", "the same as register"),
            Command("pack install", "content.packs", "install packs: names, git URLs, folders, archives"),
            Command("pack remove", "content.packs", "remove packs"),
            Command("pack search", "content.packs", "search the index for packs to install"),
            Command("pack show", "content.packs", "show a pack of the index"),
            Command("pack create", None, "create a new pack"),
            Command("pack lint", None, "list the faults of a pack, with line numbers"),
            Command("pack test", None, "run a pack's own tests"),
            Command("pack dev", "content.packs", "register a pack again whenever one of its files is saved"),
        ),
    ),
    (
        "workflows",
        (
            Command("workflow lint", "workflow.workflows", "list the faults of workflows, with line numbers"),
            Command("workflow graph", "workflow.workflows", "draw a workflow: text, DOT, Mermaid"),
            Command(
                "workflow test",
                "workflow.workflows",
                "rehearse workflows: run them with scripted results and check the outcome",
            ),
        ),
    ),
    (
        "events",
        (
            Command("rule list", "event.rules", "list the rules"),
            Command("rule get", "event.rules", "show one rule and its last enforcements"),
            Command("rule create", "event.rules", "create a rule from a file"),
            Command("rule update", "event.rules", "replace a rule by that of a file"),
            Command("rule enable", "event.rules", "enable rules"),
            Command("rule disable", "event.rules", "disable rules"),
            Command("rule delete", "event.rules", "remove rules"),
            Command("rule explain", "event.decisions", "show why a rule fires for an event or not"),
            Command("rule backtest", "event.decisions", "show what a rule would have done with stored events"),
            Command("rule tail", "event.decisions", "follow the decisions of a rule"),
            Command("rule test", "event.rule_tests", "run test cases of rules from files; needs no server"),
            Command("rule held", "event.held", "list, run or discard the held matches of a rule"),
            Command("trigger list", "event.triggers", "list the trigger types"),
            Command("trigger get", "event.triggers", "show a trigger type and its schemas"),
            Command("trigger instances", "event.triggers", "list events, the newest first"),
            Command("trigger explain", "event.decisions", "show what each rule decided about an event"),
            Command("trigger emit", "event.triggers", "dispatch an event"),
            Command("trigger re-emit", "event.triggers", "dispatch stored events once more"),
            Command("trigger retry", "event.triggers", "evaluate events again whose processing failed"),
            Command("silence list", "event.silences", "list the silences that are in force"),
            Command("silence add", "event.silences", "silence a rule, a pack or a trigger for a time"),
            Command("silence remove", "event.silences", "end silences"),
            Command("webhook list", "event.webhooks", "list the webhooks"),
            Command("webhook get", "event.webhooks", "show one webhook"),
            Command("webhook send", "event.webhooks", "send an event to a webhook, and follow what it starts"),
            Command("webhook configure", "event.webhooks", "show or store how a webhook's sender signs"),
            Command("webhook deliveries", "event.webhooks", "list what came to a webhook, or show one delivery"),
            Command("webhook replay", "event.webhooks", "send a delivery to a webhook again"),
        ),
    ),
    (
        "timers",
        (
            Command("timer list", "event.timers", "list the timers and their next fires"),
            Command("timer get", "event.timers", "show one timer"),
            Command("timer preview", "event.timers", "show the next fires of a timer"),
            Command("timer missed", "event.timers", "list the fires of a timer that did not happen, with the reasons"),
            Command("timer pause", "event.timers", "pause timers, for a time or until they are resumed"),
            Command("timer resume", "event.timers", "resume paused timers"),
            Command("timer backfill", "event.timers", "let past fires of a timer happen now"),
        ),
    ),
    (
        "datastore",
        (
            Command("key list", "content.keys", "list the keys of the datastore"),
            Command("key get", "content.keys", "print the value of a key"),
            Command("key set", "content.keys", "write a key"),
            Command("key delete", "content.keys", "remove keys"),
            Command("key load", "content.keys", "write the keys of a JSON file"),
        ),
    ),
    (
        "server",
        (
            Command("serve", None, "start the server"),
            Command("status", "server", "show if a server runs, and its address"),
            Command("stop", "server", "stop the server and wait for its end"),
            Command("logs", "output.logs", "print the server's log"),
            Command("env", "server", "print the environment that points the st2 client at the server"),
            Command("config show", None, "show every setting and the source of its value"),
            Command("storage", "output.storage", "show the usage of storage"),
            Command("storage purge", "output.storage", "remove finished executions with their output"),
            Command("queue list", "execution.queue", "list work that is set aside because the server died of it twice"),
            Command("queue retry", "execution.queue", "try such work again"),
            Command("backup", None, "copy the data directory, also while the server runs"),
            Command("restore", None, "put a backup into a new data directory"),
        ),
    ),
    (
        "users",
        (
            Command("login", "access.login", "log in to a server with authentication"),
            Command("whoami", "access.login", "show the user that you are logged in as"),
            Command("logout", "access.login", "revoke the token of the last log-in"),
            Command("user add", None, "add a user who may log in"),
            Command("user passwd", None, "change a user's password"),
            Command("user remove", None, "remove a user"),
            Command("user list", None, "list the users who may log in"),
        ),
    ),
    (
        "about Squall",
        (
            Command("demo", None, "run a demonstration in a temporary directory"),
            Command("version", "terminal.version", "print the version"),
        ),
    ),
)
COMMANDS: tuple[Command, ...] = tuple(command for _, commands in GROUPS for command in commands)


def command_of(words: Sequence[str]) -> tuple[Command, list[str]] | None:
    """Returns the command at the beginning of `words`, and the words after it; None if there is no such command."""
    for length in (2, 1):
        for command in COMMANDS:
            if command.name == " ".join(words[:length]):
                return command, list(words[length:])
    return None


def group_of(word: str) -> list[Command]:
    """Returns the commands whose first word is `word`, such as all of `execution`; `list` and `get` come first."""
    members = [command for command in COMMANDS if command.name.startswith(word + " ")]
    return sorted(members, key=lambda command: command.name.split()[1] not in ("list", "get"))


def listing(commands: Sequence[Command] | None = None) -> str:
    """Returns the lines of the help that list `commands`; None lists every group under its heading."""
    if commands is not None:
        return _lines(commands, max(len(command.name) for command in commands))
    width = max(len(command.name) for command in COMMANDS)
    return "\n".join(f"{heading}:\n{_lines(members, width)}" for heading, members in GROUPS)


def _lines(commands: Sequence[Command], width: int) -> str:
    return "".join(f"  {command.name:<{width}}  {command.summary}\n" for command in commands)


def guess(word: str, names: Iterable[str]) -> str:
    """Returns `; did you mean "…"?` with the name that is closest to a mistyped `word`, or "" if none is close."""
    name = closest(word, names)
    return f"; did you mean {name!r}?" if name else ""


def first_words() -> set[str]:
    """Returns the first words of all commands."""
    return {command.name.split()[0] for command in COMMANDS}
