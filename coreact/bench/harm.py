"""Does guidance spoil what a competent agent gets right: scripted experts whose every step is right.

An expert follows the known plan of a task, so each of its proposals is right by construction and
every rejection is a false alarm. Families without any search tool (arithmetic, table look-up,
files, polling, paging, dice) test that default guidance leaves ordinary agents alone, with the
habits that naive rules trip over: the same call again after a write, a status polled, a page turned.
The family `search` is an ideal searcher on gazetteer questions, where guidance does more and can
do more harm; it is reported apart. No model runs, so the figures repeat exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from coreact_tools import calculator, corpus_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool, StructuredTool

from coreact.guide import CoReActMiddleware
from coreact.rubric import Record
from coreact.testing import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.worlds import Corpus, Question, World


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question, the tools for it, and the plan that solves it."""

    family: str
    question: str
    tools: Sequence[BaseTool]
    plan: Sequence[AIMessage]
    """The expert's messages in order; the last one is the answer."""


class HarmReport(Record):
    """What guidance did to the steps of experts."""

    family: str
    tasks: int
    steps: int
    """Decisions of the plain agent; each is right."""
    alarms: int
    """First proposals that were rejected: each cost a retry, and a less stubborn model would have
    changed a right step."""
    spoiled: int
    """Decisions after which something else than the plan happened: another action, or one held back."""
    changed_outcomes: int
    """Tasks whose final message or tool results differ from the plain agent's."""

    @property
    def alarm_rate(self) -> float:
        """Alarms as a share of steps, in [0, 1], lower is better."""
        return self.alarms / self.steps if self.steps else 0.0


def measure(family: str, tasks: Sequence[Task], **settings: Any) -> HarmReport:
    """Run every task plain and guided, and compare.

    Args:
        family: name for the report.
        tasks: the tasks; they must not share state.
        **settings: of the middleware; none: the defaults.
    """
    steps = alarms = spoiled = changed = 0
    for task in tasks:
        plain = _transcript(task, [])
        store = InMemoryTraceStore()
        guided = _transcript(task, [CoReActMiddleware(recorder=Recorder(store), **settings)])
        steps += len(task.plan)
        changed += plain != guided
        trajectory = store.trajectory(store.runs()[0].id)
        for step in trajectory.steps:
            alarms += bool(step.attempts and step.attempts[0].rejected_by)
            spoiled += any(d in ("blocked", "returned", "asked") for d in step.dispositions)
    return HarmReport(
        family=family,
        tasks=len(tasks),
        steps=steps,
        alarms=alarms,
        spoiled=spoiled,
        changed_outcomes=changed,
    )


def _transcript(task: Task, middleware: list[CoReActMiddleware]) -> list[tuple[str, str]]:
    for tool in task.tools:  # experts run twice; their world starts afresh
        reset = (tool.metadata or {}).get("reset")
        if reset is not None:
            reset()
    agent = create_agent(ScriptedModel(script=_expert(task.plan)), list(task.tools), middleware=middleware)
    result = agent.invoke(
        {"messages": [{"role": "user", "content": task.question}]}, {"recursion_limit": 200}
    )
    return [(message.type, str(message.text)) for message in result["messages"]]


def _expert(plan: Sequence[AIMessage]) -> Callable[[Sequence[BaseMessage]], AIMessage]:
    """Follows the plan by what has happened, so that a retry gets the same right step again."""

    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        done = sum(isinstance(message, AIMessage) for message in messages)
        return plan[min(done, len(plan) - 1)]

    return reply


# --- families without search ------------------------------------------------------------------


def everyday_tasks(n: int, *, seed: int = 0) -> list[Task]:
    """`n` tasks, spread evenly over the families without a search tool."""
    draw = Random(seed)
    makers = (_arithmetic, _table, _files, _polling, _paging, _dice, _parallel)
    return [makers[at % len(makers)](draw) for at in range(n)]


def _arithmetic(draw: Random) -> Task:
    a, b, c = (draw.randint(2, 99) for _ in range(3))
    return Task(
        family="arithmetic",
        question=f"A crate holds {a} boxes of {b} apples. After {c} are eaten, how many apples are left?",
        tools=[calculator],
        plan=[
            call("calculator", expression=f"{a} * {b}"),
            call("calculator", expression=f"{a * b} - {c}"),
            AIMessage(str(a * b - c)),
        ],
    )


def _table(draw: Random) -> Task:
    names = draw.sample(["Anna Berg", "Bo Li", "Carla Diaz", "Dev Rao", "Eli Stern"], 3)
    pay = {name: draw.randint(1000, 9000) for name in names}

    def look_up(row: str, column: str) -> str:
        """Give one cell of the staff table."""
        return str(pay.get(row, "no such row")) if column == "salary" else "no such column"

    best = max(pay, key=lambda name: pay[name])
    return Task(
        family="table",
        question=f"Who of {', '.join(names)} earns most?",
        tools=[StructuredTool.from_function(look_up, metadata={"read_only": True})],
        plan=[*(call("look_up", row=name, column="salary") for name in names), AIMessage(best)],
    )


def _files(draw: Random) -> Task:
    word = draw.choice(["amber", "cobalt", "ivory"])
    files = {"notes/todo.txt": "call Ada"}
    original = dict(files)

    def read_file(path: str) -> str:
        """Read a text file."""
        return files.get(path, "no such file")

    def write_file(path: str, text: str) -> str:
        """Write a text file."""
        files[path] = text
        return "written"

    def reset() -> None:
        files.clear()
        files.update(original)

    return Task(
        family="files",
        question=f"Add the word {word} to the todo list in the folder notes and show me the list.",
        tools=[
            StructuredTool.from_function(
                read_file, metadata={"role": "read", "read_only": True, "reset": reset}
            ),
            StructuredTool.from_function(write_file, metadata={"read_only": False}),
        ],
        plan=[
            call("read_file", path="notes/todo.txt"),
            call("write_file", path="notes/todo.txt", text=f"call Ada, {word}"),
            call("read_file", path="notes/todo.txt"),  # the same call again, and rightly so
            AIMessage(f"call Ada, {word}"),
        ],
    )


def _polling(draw: Random) -> Task:
    needed = draw.randint(2, 4)
    polls = {"n": 0}

    def job_status(job: str) -> str:  # noqa: ARG001
        """Give the status of a job."""
        polls["n"] += 1
        return f"{100 * polls['n'] // needed} % done"

    def reset() -> None:
        polls["n"] = 0

    return Task(
        family="polling",
        question="Tell me when job 17 is done.",
        tools=[StructuredTool.from_function(job_status, metadata={"reset": reset})],
        plan=[*(call("job_status", job="17") for _ in range(needed)), AIMessage("It is done.")],
    )


def _paging(draw: Random) -> Task:
    pages = [f"page {number}: {draw.randint(100, 999)} items" for number in range(1, draw.randint(3, 5))]
    at = {"page": 0}

    def next_page() -> str:
        """Turn to the next page of the report."""
        at["page"] += 1
        return pages[at["page"] - 1]

    def reset() -> None:
        at["page"] = 0

    return Task(
        family="paging",
        question="What does the last page of the report say?",
        tools=[StructuredTool.from_function(next_page, metadata={"reset": reset})],
        plan=[*(call("next_page") for _ in pages), AIMessage(pages[-1])],
    )


def _dice(draw: Random) -> Task:
    rolls = [draw.randint(1, 6) for _ in range(3)]
    at = {"roll": 0}

    def roll_die(sides: int) -> str:  # noqa: ARG001
        """Roll a die."""
        at["roll"] += 1
        return str(rolls[at["roll"] - 1])

    def reset() -> None:
        at["roll"] = 0

    return Task(
        family="dice",
        question="Roll a die three times and add up.",
        tools=[StructuredTool.from_function(roll_die, metadata={"reset": reset}), calculator],
        plan=[
            *(call("roll_die", sides=6) for _ in rolls),
            call("calculator", expression=" + ".join(map(str, rolls))),
            AIMessage(str(sum(rolls))),
        ],
    )


def _parallel(draw: Random) -> Task:
    a, b = draw.randint(10, 99), draw.randint(10, 99)
    both = [
        {"name": "calculator", "args": {"expression": f"{number} ** 2"}, "id": f"square-{number}-{at}"}
        for at, number in enumerate((a, b + 100))
    ]
    return Task(
        family="parallel",
        question=f"Square {a} and {b + 100}.",
        tools=[calculator],
        plan=[AIMessage("", tool_calls=both), AIMessage(f"{a**2} and {(b + 100) ** 2}")],
    )


# --- an ideal searcher ------------------------------------------------------------------------


def search_tasks(world: World, questions: Sequence[Question]) -> list[Task]:
    """Each question with the plan of an ideal searcher: the query of every hop, then the answer."""
    tools = corpus_tools(Corpus(world.passages))
    return [
        Task(
            family=f"search, {question.hops} hops",
            question=question.question,
            tools=tools,
            plan=[*(call("search", query=hop.query) for hop in question.chain), AIMessage(question.answer)],
        )
        for question in questions
    ]
