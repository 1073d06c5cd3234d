"""Every command of `squall` with its summary, the help that lists them, and guesses for mistyped names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from squall.client.closest import closest


class Command(NamedTuple):
    """A line of the help. `module` below `squall.cli` has it in its `VERBS`; None: it runs outside the client."""

    name: str
    module: str | None
    summary: str


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "running",
        (
            Command("run", "execution.run", "start an action and watch it; exits with its outcome"),
            Command("execution cancel", "execution.executions", "cancel executions"),
            Command("execution re-run", "execution.executions", "run it once more and watch it"),
            Command("execution pause", "execution.executions", "pause workflows: no new task starts"),
            Command("execution resume", "execution.executions", "let paused workflows go on"),
            Command("inquiry list", "execution.inquiries", "the questions that wait for an answer"),
            Command("inquiry get", "execution.inquiries", "one question and what its answer may be"),
            Command("inquiry respond", "execution.inquiries", "answer a question, by words or by prompts"),
        ),
    ),
    (
        "looking",
        (
            Command("tail", "output.tail", "show what an execution has printed, and what it prints from now on"),
            Command("open", "execution.opening", "the page of an execution; opens it in a browser at a desktop"),
            Command("execution list", "execution.executions", "the newest executions"),
            Command("execution get", "execution.executions", "one execution with its result"),
            Command("output", "output.output", "what an execution has printed so far, as text or to the byte"),
            Command("output stats", "output.output", "how much it has printed, and when"),
            Command("output verify", "output.verify", "whether what an execution printed is undamaged"),
        ),
    ),
    (
        "actions",
        (
            Command("action list", "content.actions", "the actions there are"),
            Command("action get", "content.actions", "one action and its parameters"),
            Command("action create", "content.actions", "make an action from a metadata file, with its entry point"),
            Command("action delete", "content.actions", "remove an action that was made so"),
            Command("action doctor", "content.actions", "why an action's output may come late, and what helps"),
            Command("runner list", "content.runners", "the runners there are"),
        ),
    ),
    (
        "packs",
        (
            Command("pack list", "content.packs", "the packs there are"),
            Command("pack get", "content.packs", "one pack, its files and its configuration"),
            Command("pack register", "content.packs", "look into the folders of packs again"),
            Command("pack reload", "content.packs", "the same as register"),
            Command("pack install", "content.packs", "install packs and watch it: names, git URLs, folders, archives"),
            Command("pack remove", "content.packs", "remove packs"),
            Command("pack search", "content.packs", "look for packs that can be installed"),
            Command("pack show", "content.packs", "what the index says of a pack"),
            Command("pack create", None, "make a new pack"),
            Command("pack lint", None, "what is wrong with a pack, with line numbers"),
            Command("pack test", None, "run a pack's own tests"),
            Command("pack dev", "content.packs", "register a pack again whenever one of its files is saved"),
        ),
    ),
    (
        "workflows",
        (
            Command("workflow lint", "workflow.workflows", "what is wrong with a workflow, with line numbers"),
            Command("workflow graph", "workflow.workflows", "draw a workflow: text, DOT, Mermaid"),
            Command(
                "workflow test",
                "workflow.workflows",
                "rehearse workflows: compare scripted results with what is expected",
            ),
        ),
    ),
    (
        "datastore",
        (
            Command("key list", "content.keys", "the keys of the datastore"),
            Command("key get", "content.keys", "one key's value"),
            Command("key set", "content.keys", "write a key"),
            Command("key delete", "content.keys", "remove keys"),
            Command("key load", "content.keys", "write the keys of a JSON file"),
        ),
    ),
    (
        "server",
        (
            Command("serve", None, "start the server"),
            Command("status", "server", "whether a server runs, and where"),
            Command("stop", "server", "stop the server and wait for its end"),
            Command("logs", "output.logs", "the server's log"),
            Command("env", "server", "the lines that point the st2 client at the server"),
            Command("config show", None, "every setting and where its value comes from"),
            Command("storage", "output.storage", "what takes space"),
            Command("storage purge", "output.storage", "remove finished executions with their output"),
            Command("backup", None, "copy the data directory, also while the server runs"),
            Command("restore", None, "put a backup into a new data directory"),
        ),
    ),
    (
        "users",
        (
            Command("login", "access.login", "log in to a server that asks who you are"),
            Command("whoami", "access.login", "who you are to the server"),
            Command("logout", "access.login", "end the token of the last log-in"),
            Command("user add", None, "add a user who may log in"),
            Command("user passwd", None, "give a user another password"),
            Command("user remove", None, "take a user away"),
            Command("user list", None, "the users who may log in"),
        ),
    ),
    (
        "about Squall",
        (
            Command("demo", None, "see it work, in a temporary directory"),
            Command("version", "terminal.version", "the version"),
        ),
    ),
)
COMMANDS: tuple[Command, ...] = tuple(command for _, commands in GROUPS for command in commands)


def command_of(words: Sequence[str]) -> tuple[Command, list[str]] | None:
    """The command that `words` begin with, and the words behind it; None if they begin with none."""
    for length in (2, 1):
        for command in COMMANDS:
            if command.name == " ".join(words[:length]):
                return command, list(words[length:])
    return None


def group_of(word: str) -> list[Command]:
    """The commands whose first word is `word`, such as all of `execution`; those that look come first."""
    members = [command for command in COMMANDS if command.name.startswith(word + " ")]
    return sorted(members, key=lambda command: command.name.split()[1] not in ("list", "get"))


def listing(commands: Sequence[Command] | None = None) -> str:
    """The lines of the help that list `commands`; None lists every group under its heading."""
    if commands is not None:
        return _lines(commands, max(len(command.name) for command in commands))
    width = max(len(command.name) for command in COMMANDS)
    return "\n".join(f"{heading}:\n{_lines(members, width)}" for heading, members in GROUPS)


def _lines(commands: Sequence[Command], width: int) -> str:
    return "".join(f"  {command.name:<{width}}  {command.summary}\n" for command in commands)


def guess(word: str, names: Iterable[str]) -> str:
    """`; did you mean "…"?` with the name that is closest to a mistyped `word`, or "" if none is close."""
    name = closest(word, names)
    return f"; did you mean {name!r}?" if name else ""


def first_words() -> set[str]:
    """The words that a command may begin with."""
    return {command.name.split()[0] for command in COMMANDS}
