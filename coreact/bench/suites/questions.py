"""Questions with short answers, with or without a closed corpus to search.

One suite for worlds (the gazetteer, multi-hop questions, documents) and for lists of questions and answers:
what is measured follows from what a question has, a listed answer or gold passages, and what it has not is
left out. Whether an answer is right is decided by comparing text, never by a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from random import Random

from coreact_tools import searching_tools
from langchain_core.tools import BaseTool
from pydantic import Field

from coreact.bench.metrics.answers import contains, exact, f1, holds, yes_no
from coreact.bench.metrics.retrieval import all_gold, found_precision, gold_share
from coreact.bench.records import Episode, Metric, Task
from coreact.bench.suites.reading import version_of
from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.worlds import Corpus, Passage, Question, World

PASSAGES_SHOWN = 3
"""Passages that one search shows, unless told otherwise."""

_FOUND = (
    Metric(name="gold_share", about="share of the gold passages shown to the agent, in [0, 1]"),
    Metric(name="all_gold", about="1 where all of them were shown"),
    Metric(name="found_precision", about="share of the passages shown that are gold, in [0, 1]"),
)
_RIGHT = (
    Metric(name="exact", about="1 where the answer, normalised, is an accepted one"),
    Metric(name="contains", about="1 where it contains one as whole words"),
    Metric(name="f1", about="overlap of words with an accepted answer (SQuAD's F1), in [0, 1]"),
)
_LOOSE = (
    Metric(name="loose", about="share of the texts of the gold answer that stand in the answer, in [0, 1]"),
    Metric(name="loose_all", about="1 where all of them do"),
)
_YES_NO = Metric(name="yes_no", about="1 where the answer begins with the right yes or no")


class ShortQuestion(Record):
    """A question, the answers that are accepted, and the passages that prove it."""

    id: str = Field(min_length=1)
    """Unique within its suite."""
    prompt: str = Field(min_length=1)
    """As the agent is asked."""
    accepted: tuple[str, ...] = ()
    """Right answers; none where only the passages are known."""
    parts: tuple[str, ...] = ()
    """Texts that a right answer holds all of, where it is a list or a table."""
    gold: tuple[str, ...] = ()
    """Ids of the passages that prove it; none where they are not known."""
    kind: str = ""
    """How its hops hang together, its level: for selecting and for tables."""
    cluster: str = ""
    """See `Task.cluster`."""


def of_world(question: Question) -> ShortQuestion:
    """A world's question. Those that share their first gold passage form a cluster."""
    return ShortQuestion(
        id=question.id,
        prompt=question.question,
        accepted=(question.answer, *question.answer_aliases),
        gold=question.supporting_ids,
        kind=question.kind,
        cluster=question.supporting_ids[0],
    )


def choose(
    questions: Iterable[Question],
    *,
    split: str | None = None,
    hops: int | None = None,
    kind: str | None = None,
    n: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """The questions meant, in their order.

    Args:
        questions: all of them.
        split: `train` or `dev`, see `Question.split`; None: both.
        hops: only those with so many; None: any.
        kind: only those of this kind (`bridge`, `comparison`); None: any.
        n: at most so many, drawn by `seed`; None: all.
        seed: seed of the drawing.

    Raises:
        ConfigError: none is left, or `n` is less than 1.
    """
    listed = tuple(questions)
    wanted = [
        one
        for one in listed
        if (split is None or one.split == split)
        and (hops is None or one.hops == hops)
        and (kind is None or one.kind == kind)
    ]
    if not wanted or (n is not None and n < 1):
        kinds = ", ".join(sorted({f"{one.kind} with {one.hops} hops" for one in listed}))
        raise ConfigError(
            f"No question is left with split={split!r}, hops={hops!r}, kind={kind!r}, n={n!r}.",
            remedy=f"There are: {kinds or 'none'}; splits are train and dev.",
        )
    if n is None or n >= len(wanted):
        return tuple(wanted)
    drawn = set(Random(seed).sample(range(len(wanted)), n))
    return tuple(one for at, one in enumerate(wanted) if at in drawn)


class QuestionSuite:
    """A suite of questions whose answers are compared by text.

    Args:
        name: as it is called on the command line.
        questions: the tasks; ids must be unique.
        passages: a closed corpus to search; none: the agent gets `equipment` alone.
        world: the world that the questions are of, for policies that know it; None where there is none.
        equipment: further tools for the agent, such as a calculator or a search of the web.
        k: passages that one search shows, unless told otherwise.
    """

    def __init__(
        self,
        name: str,
        questions: Sequence[ShortQuestion],
        *,
        passages: Sequence[Passage] = (),
        world: World | None = None,
        equipment: Sequence[BaseTool] = (),
        k: int = PASSAGES_SHOWN,
    ) -> None:
        self.name = name
        self.world = world
        self.questions = tuple(questions)
        self._by_id = {one.id: one for one in self.questions}
        if not self.questions or len(self._by_id) != len(self.questions):
            raise ConfigError(f"The suite {name!r} has no questions, or two with the same id.")
        self._passages = tuple(passages)
        self._equipment = tuple(equipment)
        self._k = k

    @cached_property
    def version(self) -> str:
        """`sha256:…` of questions and corpus."""
        return version_of(
            {
                "questions": [one.model_dump(mode="json") for one in self.questions],
                "passages": [one.model_dump(mode="json") for one in self._passages],
            }
        )

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The questions as tasks, in their order."""
        return tuple(Task(id=one.id, prompt=one.prompt, cluster=one.cluster) for one in self.questions)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """What can be measured of these questions."""
        found = _FOUND if any(one.gold for one in self.questions) else ()
        right = _RIGHT if any(one.accepted for one in self.questions) else ()
        loose = _LOOSE if any(one.parts for one in self.questions) else ()
        binary = any(yes_no("", one.accepted) is not None for one in self.questions)
        return (*found, *right, *loose, *((_YES_NO,) if binary else ()))

    @cached_property
    def corpus(self) -> Corpus | None:
        """The passages under a search index, built when first asked for; None without passages."""
        return Corpus(self._passages) if self._passages else None

    def question(self, task: Task) -> ShortQuestion:
        """The question of a task.

        Raises:
            KeyError: the task is not of this suite.
        """
        return self._by_id[task.id]

    def tools(self, k: int | None = None) -> tuple[BaseTool, ...]:
        """Search over the corpus, where there is one, reading where it cuts passages, and the equipment."""
        if self.corpus is None:
            return self._equipment
        shown = self._k if k is None else k
        return (*searching_tools(self.corpus, self._passages, k=shown), *self._equipment)

    def measure(self, task: Task, episode: Episode) -> Mapping[str, float]:
        """Figures of an episode, as far as the question allows.

        An episode that ended in an error is measured by what it left: what was found counts, and an answer
        that is not there is not right. Leaving it out altogether is up to who runs the bench.
        """
        question, found = self.question(task), episode.documents
        figures: dict[str, float | None] = {
            "gold_share": gold_share(found, question.gold),
            "all_gold": all_gold(found, question.gold),
            "found_precision": found_precision(found, question.gold),
        }
        if question.accepted:
            figures["exact"] = exact(episode.answer, question.accepted)
            figures["contains"] = contains(episode.answer, question.accepted)
            figures["f1"] = f1(episode.answer, question.accepted)
            figures["yes_no"] = yes_no(episode.answer, question.accepted)
        held = holds(episode.answer, question.parts)
        if held is not None:
            figures |= {"loose": held, "loose_all": float(held == 1)}
        return {name: value for name, value in figures.items() if value is not None}
