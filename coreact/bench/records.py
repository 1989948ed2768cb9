"""What a bench is made of: tasks in a suite, arms that work on them, and what an arm did on a task.

A suite gives tasks, the tools to work with, and measures an episode; an arm is a way to work, built anew
for every setup. Neither knows the other, so every arm runs on every suite. Nothing here runs anything
(`experiment`), reads a file (`suites`) or averages (`statistics`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import Field

from coreact.generate import RubricGenerator
from coreact.guide import Replay
from coreact.rubric import Record
from coreact.trace import Recorder


class Task(Record):
    """One thing to do, as the agent is asked to do it. What counts as done well, its suite knows."""

    id: str = Field(min_length=1)
    """Unique within the suite."""
    prompt: str
    """The user's message."""
    cluster: str = ""
    """Tasks that share it are not independent, and are resampled together; empty: the task is its own."""


class Metric(Record):
    """One figure of an episode."""

    name: str
    """As it stands in tables: `gold_share`, `exact`."""
    about: str
    """What it says, in one line, with unit and range."""
    higher_is_better: bool | None = True
    """None: neither is (tool calls)."""


class Usage(Record):
    """What an episode spent, everything it started included: rejected attempts, judges, other samples."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unmetered: int = 0
    """Model calls whose tokens nobody reported: where there are any, the tokens above are too few."""
    usd: float | None = None
    """Money; None where the price of a model is not known, or its tokens are not."""
    usd_known: float = 0.0
    """Money of the calls whose price is known: at least so much was spent, also where `usd` is None."""
    seconds: float = 0.0
    """From start to end."""


class Found(Record):
    """What one tool call gave back, in the order of the calls."""

    tool: str
    text: str
    documents: tuple[str, ...] = ()
    """Ids of the passages shown: the tool message's artifact."""


class Episode(Record):
    """What an arm did on a task."""

    answer: str = ""
    """Text of the last assistant message; empty where there is none."""
    found: tuple[Found, ...] = ()
    """All observations of all that the arm started, not only of the run it chose."""
    usage: Usage = Field(default_factory=Usage)
    models: tuple[str, ...] = ()
    """Names of the models as they gave them back, sorted."""
    runs: tuple[str, ...] = ()
    """Ids of the judged runs in the trace store, where one was kept."""
    messages: tuple[dict[str, Any], ...] = ()
    """The messages of the arm's result, as plain JSON (`messages_to_dict`)."""
    error: str | None = None
    """The failure that ended it, if one did."""

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids of all passages shown, in order, each once."""
        return tuple(dict.fromkeys(one for found in self.found for one in found.documents))


class Suite(Protocol):
    """Tasks that belong together, the tools for them, and how an episode is measured."""

    @property
    def name(self) -> str:
        """As it is called on the command line."""

    @property
    def version(self) -> str:
        """`sha256:…` of the content: results on two versions are not compared."""

    @property
    def tasks(self) -> Sequence[Task]:
        """All tasks, in an order that does not change."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """What `measure` may give."""

    def tools(self, k: int | None = None) -> Sequence[BaseTool]:
        """The agent's tools; `k`: how many documents a search shows, the suite's own number if None."""

    def measure(self, task: Task, episode: Episode) -> Mapping[str, float]:
        """Figures by metric name. A metric that cannot be told is left out, never 0: it is counted apart."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What an arm is built from; the same for every arm of a comparison."""

    model: BaseChatModel
    """The agent's model."""
    tools: Sequence[BaseTool]
    """The agent's tools."""
    tools_showing: Callable[[int], Sequence[BaseTool]]
    """The same tools, with another number of documents shown by a search."""
    tool_calls: int
    """Tool calls in all, over everything that the arm starts. An arm of several runs divides it."""
    shown: int = 3
    """Documents that one search shows."""
    seed: int
    writer: BaseChatModel
    """The model that writes rubrics, critiques and reflections, where the arm has them written."""
    generator: RubricGenerator | None = None
    """The trained generator, for arms that are guided by one."""
    recorder: Recorder | None = None
    """Where judged steps go, for arms that judge any."""
    replay: Replay | None = None
    """A judged run that answers this one's calls; None: they are made."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to work on tasks."""

    name: str
    about: str
    """What it does, in one line, for the report."""
    build: Callable[[Setup], Runnable[Any, Any]]
    """Makes something whose `ainvoke({"messages": […]})` gives `{"messages": […]}`, the answer last."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What distinguishes it, as plain JSON, for the report."""
    is_one_run: bool = True
    """Whether an episode that keeps one judged run asks no model outside of it: only then the run answers
    for the whole episode, and it can be run again from the record."""
