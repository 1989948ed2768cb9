"""A small world for the research agent: a scripted model for each stage, a search tool that notes its calls.

Run as a program (a folder, the address of a saver or "" for a SQLite file, then pairs of every and width) it
researches one question and dies after the n-th thing that the saver stored (0: never); a tool call that was
stored must then not be made again.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

from coreact.testing import ScriptedModel, call

QUESTION = "Which currency is used in the country whose capital is Kingston, and since when?"
PASSAGES = {
    "p1": "Kingston: Kingston is the capital of Jamaica.",
    "p2": "Jamaica: The Jamaican dollar has been the currency of Jamaica since 1969.",
}
PLAN = {
    "sub_questions": [
        {"id": "a", "text": "Kingston is the capital of which country?", "depends_on": []},
        {"id": "b", "text": "Since when has Jamaica had its dollar?", "depends_on": []},
        {"id": "c", "text": "Does the dollar belong to Kingston?", "depends_on": ["a", "b"]},
    ]
}
REPORT = (
    "Kingston is the capital of Jamaica [1]. "
    "The Jamaican dollar has been the currency of Jamaica since 1969 [2]."
)

Say = Callable[[Sequence[BaseMessage]], Any]


def stage(messages: Sequence[BaseMessage]) -> str:
    """The stage that the system prompt names; `revise` where it names none."""
    first = str(messages[0].text).splitlines()[0]
    return first.removeprefix("Stage: ") if first.startswith("Stage: ") else "revise"


def asked(messages: Sequence[BaseMessage]) -> str:
    """The first line of what a branch was asked."""
    return str(next(m for m in messages if isinstance(m, HumanMessage)).text).splitlines()[0]


def gather(messages: Sequence[BaseMessage]) -> Any:
    """Search once, then say what was found."""
    if not any(isinstance(message, ToolMessage) for message in messages):
        return call("search", query=asked(messages), id=f"call-{asked(messages)[:8]}")
    return "Kingston is the capital of Jamaica." if "Kingston" in asked(messages) else "Since 1969, a dollar."


def model(**says: Any) -> ScriptedModel:
    """A model with a script for each stage; a stage that is not given has a good one."""
    script: dict[str, Any] = {
        "plan": json.dumps(PLAN),
        "gather": gather,
        "review": json.dumps({"add": [], "drop": []}),
        "synthesise": REPORT,
        "revise": REPORT.replace("[1]", "[p1]").replace("[2]", "[p2]"),
    }
    script |= says

    def say(messages: Sequence[BaseMessage]) -> Any:
        said = script[stage(messages)]
        return said(messages) if callable(said) else said

    return ScriptedModel(script=say)


def search_tool(note: Callable[[str], object] = lambda query: None, **metadata: Any) -> BaseTool:
    """A search over the passages that share a longer word with the query."""

    def search(query: str) -> tuple[str, list[str]]:
        note(query)
        wanted = {word.strip("?,.").lower() for word in query.split() if len(word) > 5}
        hits = {k: t for k, t in PASSAGES.items() if wanted & {w.strip(".:").lower() for w in t.split()}}
        lines = [f"[{key}] {text}" for key, text in hits.items()]
        return "\n".join(lines) or "Nothing fits.", list(hits)

    return StructuredTool.from_function(
        search,
        name="search",
        description="Search the corpus by words.",
        response_format="content_and_artifact",
        metadata={"role": "search", "read_only": True, **metadata},
    )


# --- as a program -------------------------------------------------------------------------------


def _die_after(saver: Any, stored: int) -> None:
    """Make the saver end the process, as a kill would, once it stored so many things."""
    count, lock = [0], threading.Lock()

    def counted(put: Any) -> Any:
        def stores(*args: Any, **kwargs: Any) -> Any:
            result = put(*args, **kwargs)
            with lock:
                count[0] += 1
                if count[0] == stored:
                    os._exit(9)
            return result

        return stores

    saver.put = counted(saver.put)
    saver.put_writes = counted(saver.put_writes)


def _run(folder: Path, stored: int, width: int, url: str) -> None:
    from coreact import CoReActMiddleware
    from coreact.cli.recipes import load_agent
    from coreact.research import open_checkpointer

    log = folder / "calls.txt"

    def note(query: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{query}\n")

    with open_checkpointer(url or f"sqlite:///{folder / 'runs.db'}") as saver:
        if stored:
            _die_after(saver, stored)
        agent = load_agent("deep_research").build(
            model(), [search_tool(note)], middleware=[CoReActMiddleware()], checkpointer=saver, width=width
        )
        config = {"configurable": {"thread_id": folder.name}}
        known = agent.get_state(config)
        out = known.values
        if not out.get("outcome"):  # killed after the very last thing was stored: there is nothing to resume
            begun = known.created_at is not None
            given = None if begun else {"messages": [HumanMessage(QUESTION, id="question")]}
            out = agent.invoke(given, config, durability="sync")
    folder.joinpath("report.txt").write_text(out["messages"][-1].text, encoding="utf-8")


def _in_child(*arguments: Any) -> int:
    child = os.fork()
    if child == 0:
        try:
            _run(*arguments)
        except BaseException as error:  # noqa: BLE001 - the parent must see that it failed
            sys.stderr.write(repr(error))
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _main(root: Path, every: int, width: int, url: str) -> None:
    """Kill after 1, 1 + every, … stored things, until a run ends by itself; print what came of each."""
    stored = 1
    while True:
        folder = root / f"{width}-{stored}"
        folder.mkdir()
        first = _in_child(folder, stored, width, url)
        calls = folder.joinpath("calls.txt")
        before = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
        second = _in_child(folder, 0, width, url) if first == 9 else first
        report = folder.joinpath("report.txt")
        row = {
            "stored": stored,
            "width": width,
            "codes": [first, second],
            "before": before,
            "calls": calls.read_text(encoding="utf-8").splitlines() if calls.exists() else [],
            "report": report.read_text(encoding="utf-8") if report.exists() else None,
        }
        sys.stdout.write(f"{json.dumps(row)}\n")
        sys.stdout.flush()
        if first != 9:
            return
        stored += every


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    # Imported once, before the forks: importing takes longer than researching.
    import langgraph.checkpoint.postgres
    import langgraph.checkpoint.sqlite  # noqa: F401

    from coreact.cli.recipes import load_agent

    load_agent("deep_research").build(model(), [search_tool()]).invoke({"messages": [("user", QUESTION)]})

    _, place, address, *numbers = sys.argv
    for step, wide in zip(numbers[::2], numbers[1::2], strict=True):
        _main(Path(place), int(step), int(wide), address)
