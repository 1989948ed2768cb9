"""Tasks with criteria of their own, measured by a judge; without one, by what code can tell.

The judge rules on each criterion, and code makes the scores: the suite's own convention, all or nothing, by
type of criterion, and beside a reference. The agent never sees the criteria. What the judge spends is not the
episode's: an arm is not charged for being measured.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property

from coreact_tools import searching_tools
from langchain_core.tools import BaseTool

from coreact.bench.metrics.criteria import coverage, judged, strict
from coreact.bench.metrics.relative import Rating, relative
from coreact.bench.metrics.retrieval import all_gold, found_precision, gold_share
from coreact.bench.records import Episode, Metric, Task
from coreact.bench.suites.citing import citations, state_of
from coreact.bench.suites.questions import PASSAGES_SHOWN
from coreact.bench.suites.reading import version_of
from coreact.bench.suites.rubric_tasks import RubricTask, level, level_rubric
from coreact.errors import ConfigError
from coreact.judge import Judge, Verdict
from coreact.judge.consult import consult
from coreact.judge.grounding.inquiry import batches
from coreact.judge.scoring import scoring_rule
from coreact.judge.scoring.settling import CREDIT, settle
from coreact.rubric import Action, Rubric, State
from coreact.worlds import Corpus, Passage

_FOUND = (
    Metric(
        name="gold_share",
        about="share of the passages that the reference cites shown to the agent, in [0, 1]",
    ),
    Metric(name="all_gold", about="1 where all of them were shown"),
    Metric(name="found_precision", about="share of the passages shown that the reference cites, in [0, 1]"),
)
_UNCITED = Metric(name="uncited", about="1 where the report cites nothing", higher_is_better=False)
_CITED = (
    Metric(name="citation_accuracy", about="cited statements that their source states, of those judged"),
    Metric(name="effective_citations", about="number of statement-source pairs that hold"),
)
_RELATIVE = Metric(name="relative", about="score over score plus the reference's, in [0, 1]; 0.5: as good")
_LEVEL = Metric(name="level", about="level of the task's own scale, 1 to 5")


class RubricSuite:
    """A suite of tasks that are judged by criteria of their own.

    Args:
        name: as it is called on the command line.
        criteria_tasks: the tasks; ids must be unique.
        judge: decides criteria and citations, blocking; None: metrics that need one are left out.
        rule: convention of `score`: a name in `coreact.judge.scoring.RULES`.
        reports: whether answers are reports whose citations are looked at.
        passages: a closed corpus to search; none: the agent gets `equipment` alone.
        equipment: further tools for the agent, such as a search of the web.
        k: passages that one search shows, unless told otherwise.

    Raises:
        ConfigError: there are no tasks or two of the same id, or no such rule.
    """

    def __init__(
        self,
        name: str,
        criteria_tasks: Sequence[RubricTask],
        *,
        judge: Judge | None = None,
        rule: str = "weighted_mean",
        reports: bool = True,
        passages: Sequence[Passage] = (),
        equipment: Sequence[BaseTool] = (),
        k: int = PASSAGES_SHOWN,
    ) -> None:
        self.name = name
        self.judge = judge
        self.criteria_tasks = tuple(criteria_tasks)
        self._by_id = {one.id: one for one in self.criteria_tasks}
        if not self.criteria_tasks or len(self._by_id) != len(self.criteria_tasks):
            raise ConfigError(f"The suite {name!r} has no tasks, or two with the same id.")
        self._rule_name, self._rule = rule, scoring_rule(rule)
        self._reports = reports
        self._passages = tuple(passages)
        self._equipment = tuple(equipment)
        self._k = k
        self._references: dict[str, tuple[Verdict, ...]] = {}
        self._locks = {one.id: threading.Lock() for one in self.criteria_tasks}

    @cached_property
    def version(self) -> str:
        """`sha256:…` of tasks, corpus, and how they are measured: by which judge and rule."""
        return version_of(
            {
                "tasks": [one.model_dump(mode="json") for one in self.criteria_tasks],
                "passages": [one.model_dump(mode="json") for one in self._passages],
                "judge": None if self.judge is None else self.judge.id,
                "rule": self._rule_name,
            }
        )

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks as the agent is asked, in their order."""
        return tuple(Task(id=one.id, prompt=one.prompt) for one in self.criteria_tasks)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Types of criteria, in the order in which they occur."""
        seen = dict.fromkeys(c.type for task in self.criteria_tasks for c in task.criteria if c.type)
        return tuple(seen)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """What can be measured of these tasks, with this judge or without one."""
        found = _FOUND if self._passages and any(one.gold for one in self.criteria_tasks) else ()
        cited = (*((_UNCITED,) if self._reports else ()), *(_CITED if self._reports and self.judge else ()))
        return (*self._by_judge, *found, *cited)

    @cached_property
    def _by_judge(self) -> tuple[Metric, ...]:
        if self.judge is None:
            return ()
        criteria: tuple[Metric, ...] = ()
        clipped = "; published as its mean, clipped to [0, 1]" if self._rule_name == "healthbench" else ""
        if any(one.criteria for one in self.criteria_tasks):
            criteria = (
                Metric(
                    name="score",
                    about=f"score by the rule {self._rule_name}, 1 is the best where it is a share{clipped}",
                ),
                Metric(name="coverage", about="mean credit of the criteria, unweighted, in [0, 1]"),
                *(
                    Metric(name=f"coverage/{kind}", about=f"the same of criteria of type {kind}")
                    for kind in self.types
                ),
                Metric(name="strict", about="1 where every criterion is met"),
                Metric(
                    name="judged", about="share of the criteria that could be judged", higher_is_better=None
                ),
            )
        beside = any(one.criteria and one.reference for one in self.criteria_tasks)
        levels = any(one.scale for one in self.criteria_tasks)
        return (*criteria, *((_RELATIVE,) if beside else ()), *((_LEVEL,) if levels else ()))

    @cached_property
    def corpus(self) -> Corpus | None:
        """The passages under a search index, built when first asked for; None without passages."""
        return Corpus(self._passages) if self._passages else None

    def criteria_task(self, task: Task) -> RubricTask:
        """The task with its criteria.

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
        """Figures of an episode; blocks while the judge rules.

        An empty answer is judged like any other. A figure of which nothing could be judged is left out.

        Raises:
            MissingExtraError: citations are looked at and `sentencex` is not installed.
        """
        meant, found = self.criteria_task(task), episode.documents
        figures: dict[str, float | None] = {}
        if self._passages:
            figures["gold_share"] = gold_share(found, meant.gold)
            figures["all_gold"] = all_gold(found, meant.gold)
            figures["found_precision"] = found_precision(found, meant.gold)
        if self._reports:
            figures |= self._citing(episode.answer, state_of(meant.prompt, episode))
        if self.judge is not None:
            figures |= self._judging(meant, episode.answer, self.judge)
        return {name: value for name, value in figures.items() if value is not None}

    def _citing(self, answer: str, state: State) -> dict[str, float | None]:
        report = citations(answer, state, self.judge, labels=[one.id for one in self._passages])
        figures: dict[str, float | None] = {"uncited": float(report.uncited)}
        if self.judge is not None:
            accuracy = report.accuracy
            figures["citation_accuracy"] = accuracy.value
            # Of a report all of whose pairs are unknown, nobody can say how many hold.
            figures["effective_citations"] = (
                float(report.effective) if accuracy.judged or report.uncited else None
            )
        return figures

    def _judging(self, meant: RubricTask, answer: str, judge: Judge) -> dict[str, float | None]:
        figures: dict[str, float | None] = {}
        rubric = meant.rubric
        if rubric is not None:
            verdicts = rule_on(judge, rubric, meant.prompt, answer)
            figures["score"] = self._rule(rubric, verdicts).value
            figures["strict"] = strict(rubric, verdicts)
            figures["judged"] = judged(rubric, verdicts).value
            figures["coverage"] = next((each.value for each in coverage(rubric, verdicts).values()), None)
            by_type = coverage(rubric, verdicts, meant.types)
            figures |= {f"coverage/{kind}": each.value for kind, each in by_type.items() if kind}
            if meant.reference is not None:
                figures["relative"] = self._beside(meant, rubric, verdicts, judge)
        if meant.scale is not None:
            levels = level_rubric(meant.scale)
            figures["level"] = level(levels, rule_on(judge, levels, meant.prompt, answer))
        return figures

    def _beside(
        self, meant: RubricTask, rubric: Rubric, verdicts: Sequence[Verdict], judge: Judge
    ) -> float | None:
        """The task's RACE-like figure, on the credits of verdicts by the same judge."""
        with self._locks[meant.id]:  # judged once, however many arms are compared with it at a time
            reference = self._references.get(meant.id)
            if reference is None:
                reference = rule_on(judge, rubric, meant.prompt, meant.reference or "")
                if all(verdict.fault != "instrument" for verdict in reference):
                    self._references[meant.id] = reference
        ours, theirs = _credits(rubric, verdicts), _credits(rubric, reference)
        weights: dict[str, dict[str, float]] = {}
        ratings: dict[str, list[Rating]] = {}
        for criterion in meant.criteria:
            weights.setdefault(criterion.type, {})[criterion.id] = criterion.weight
            ratings.setdefault(criterion.type, []).append(
                Rating(criterion.id, ours.get(criterion.id), theirs.get(criterion.id))
            )
        types = {kind: meant.type_weights.get(kind, sum(within.values())) for kind, within in weights.items()}
        return relative(ratings, weights, types).value


def rule_on(judge: Judge, rubric: Rubric, prompt: str, answer: str) -> tuple[Verdict, ...]:
    """A judge's verdicts on an answer, at most ten criteria a call; a judge that fails has ruled `unknown`.

    It sees prompt and answer, not the way there, so that a reference is judged just like an agent's answer.
    """
    action, state = Action(answer=answer), State.start(prompt)
    return tuple(
        verdict
        for some in batches(rubric.criteria)
        for verdict in consult(judge, tuple(some), action, state).verdicts
    )


def _credits(rubric: Rubric, verdicts: Sequence[Verdict]) -> dict[str, float | None]:
    return {criterion.id: CREDIT.get(verdict.status) for criterion, verdict in settle(rubric, verdicts)}
