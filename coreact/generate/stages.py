"""Stages of a task: which one a decision belongs to, a rubric for each, a score for each.

A plan is judged by other criteria than an answer. The default rule reads the stage off the state: no model,
no memory, the same state gives the same stage. Stages are names: whoever has others passes a rule of their
own. Late in the budget a rubric asks to answer, whatever its stage's generator wrote.

Sources: RubricEM (arXiv 2605.10899; plan, research, review, answer with rubric and score each), Co-ReAct
(arXiv 2605.23590; early, middle, late). Different: the stage is computed, not announced by the policy, and
score by stage comes from criteria on record. Advantages by stage are training's matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple, get_args

from coreact.errors import ConfigError
from coreact.generate.entities import OPENERS
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.judge.panel.family import model_names
from coreact.judge.records import Judgement, Status
from coreact.rubric.checks import DoesNotStop, Stops
from coreact.rubric.remarks import Remark
from coreact.rubric.rubric import Criterion, Provenance, Rubric
from coreact.rubric.state import State
from coreact.rubric.words import words

Stage = Literal["plan", "gather", "review", "synthesise"]
"""The stages of the default rule. `plan`: nothing was done yet; `gather`: the question is not covered;
`review`: the last step covered it, look at what there is; `synthesise`: answer."""

STAGES: tuple[Stage, ...] = get_args(Stage)
"""All of them, in order."""

_WORD = 4  # letters from which on a word of the question carries meaning
_CREDIT: Mapping[Status, float] = {"met": 1.0, "partial": 0.5, "unmet": 0.0}


def coverage(state: State, *, steps: int | None = None) -> float:
    """Share of the question's longer words that stand in observations, in [0, 1].

    Args:
        state: the state.
        steps: how many of its steps to look at; None: all.
    """
    asked = {word for word in words(state.question) if len(word) >= _WORD and word not in OPENERS}
    if not asked:
        return 0.0
    if steps is None:
        return len(asked & state.covered) / len(asked)
    texts = [s.observation.folded for s in state.steps[:steps] if s.succeeded and s.observation is not None]
    return sum(any(f" {word} " in text for text in texts) for word in asked) / len(asked)


def stage_of(state: State, *, enough: float = 0.7) -> str:
    """The stage that the next decision belongs to, by budget, steps and coverage.

    The first of these that holds: the budget is in its last third: `synthesise`; no step was taken: `plan`;
    less than `enough` of the question is covered: `gather`; it was not before the last step: `review`;
    otherwise `synthesise`.

    Args:
        state: the state before the decision.
        enough: share of the question's longer words that observations must hold, in [0, 1].
    """
    if state.phase == "late":
        return "synthesise"
    if not state.steps:
        return "plan"
    if coverage(state) < enough:
        return "gather"
    return "review" if coverage(state, steps=len(state.steps) - 1) < enough else "synthesise"


class StagedGenerator:
    """Lets another generator write in each stage, and stamps the stage on every criterion.

    As safe to share as the generators are.

    Args:
        by_stage: a generator for each stage.
        stage_of: the stage of a state; it must be pure.
        default: writes in stages that have no generator; None: such a stage is an error.

    Raises:
        ConfigError: there is no generator at all.
    """

    def __init__(
        self,
        by_stage: Mapping[str, RubricGenerator],
        *,
        stage_of: Callable[[State], str] = stage_of,
        default: RubricGenerator | None = None,
    ) -> None:
        if not by_stage and default is None:
            raise ConfigError("No stage has a generator.", remedy="Give one for a stage, or a default.")
        self._by_stage = dict(by_stage)
        self._stage_of = stage_of
        self._default = default
        parts = [f"{stage}={generator.id}" for stage, generator in self._by_stage.items()]
        self.id = f"staged({', '.join(parts + ([f'*={default.id}'] if default is not None else []))})"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(*self._by_stage.values(), self._default)

    def write(self, state: State) -> Written:
        """Write the rubric with the generator of the stage, blocking.

        Raises:
            GenerationError: the stage has no generator, or its generator failed.
        """
        stage = self._stage_of(state)
        return _stamped(self._writer(stage).write(state), stage, state)

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        stage = self._stage_of(state)
        return _stamped(await self._writer(stage).awrite(state), stage, state)

    def _writer(self, stage: str) -> RubricGenerator:
        found = self._by_stage.get(stage, self._default)
        if found is None:
            raise NoRubricError(
                f"No generator writes in the stage {stage!r}.",
                generator=self.id,
                cause="unsupported",
                remedy="Give one for it, or a default.",
            )
        return found


def _stamped(written: Written, stage: str, state: State) -> Written:
    criteria, remarks = tuple(written.rubric), written.remarks
    if state.phase == "late":
        criteria, told = _asking_to_answer(criteria)
        remarks = (*remarks, *told)
    stamped = [criterion.model_copy(update={"stage": stage}) for criterion in criteria]
    rubric = Rubric(criteria=tuple(stamped), scope=written.rubric.scope, threshold=written.rubric.threshold)
    return Written(rubric, written.cost, remarks)


def _asking_to_answer(criteria: tuple[Criterion, ...]) -> tuple[tuple[Criterion, ...], list[Remark]]:
    """The criteria without those that forbid an answer, and with one that asks for it."""
    against = [c for c in criteria if isinstance(c.check, DoesNotStop) and c.polarity == "require"]
    reason = "the budget is about to end, so that an answer must be allowed"
    remarks = [Remark.about(criterion.text, "dropped", reason, "conflict") for criterion in against]
    gone = {criterion.id for criterion in against}
    kept = [
        c.model_copy(update={"depends_on": tuple(one for one in c.depends_on if one not in gone)})
        for c in criteria
        if c.id not in gone
    ]
    if any(isinstance(c.check, Stops) and c.visibility == "policy" for c in kept):
        return tuple(kept), remarks
    taken = {criterion.id for criterion in kept}
    criterion_id = next(one for n in range(len(taken) + 1) if (one := f"answer{n or ''}") not in taken)
    answer = Criterion(
        id=criterion_id,
        text="Answer now with what was observed.",
        weight=max((criterion.weight for criterion in kept), default=1.0),
        kind="process",
        check=Stops(),
        provenance=Provenance(source="stages"),
    )
    return (*kept, answer), remarks


class StageScore(NamedTuple):
    """How a run did in one stage."""

    stage: str | None
    """None: criteria without a stage."""
    score: float | None
    """Mean over decisions of the met share of the judged weight, in [0, 1], higher is better; None where
    nothing was judged."""
    scored: int
    """Decisions that the score rests on."""
    decisions: int
    """Decisions with a criterion of this stage."""


def stage_scores(judged: Iterable[tuple[Rubric, Judgement]]) -> tuple[StageScore, ...]:
    """Scores by stage, from rubrics and judgements on record; stages in order of appearance.

    A partly met criterion counts half; criteria that are unknown or do not apply count neither way.

    Args:
        judged: the rubric of each decision and the judgement on the action that was taken.

    Raises:
        ValueError: a judgement is not by its rubric.
    """
    found: defaultdict[str | None, list[float | None]] = defaultdict(list)
    for rubric, judgement in judged:
        if judgement.rubric != rubric.lock:
            raise ValueError(f"the judgement is by the rubric {judgement.rubric}, not {rubric.lock}")
        status = {verdict.criterion: verdict.status for verdict in judgement.verdicts}
        for stage in dict.fromkeys(criterion.stage for criterion in rubric):
            earned = [
                (criterion.weight, _CREDIT[status[criterion.id]])
                for criterion in rubric
                if criterion.stage == stage and status.get(criterion.id) in _CREDIT
            ]
            total = sum(weight for weight, _ in earned)
            found[stage].append(sum(w * credit for w, credit in earned) / total if earned else None)
    return tuple(_score(stage, scores) for stage, scores in found.items())


def _score(stage: str | None, scores: list[float | None]) -> StageScore:
    known = [score for score in scores if score is not None]
    return StageScore(stage, sum(known) / len(known) if known else None, len(known), len(scores))
