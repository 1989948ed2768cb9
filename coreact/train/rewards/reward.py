"""The reward of one generated rubric: how well it puts the candidates of a branching point in order.

The text of a completion is read by the code that reads it in a running agent; the criteria are run on the
candidates, by checks alone where they compile and by a judge otherwise; the order they induce is compared
with the gains of the point. Method and weights are Co-ReAct's (arXiv 2605.23590): 0.75 for the mapped rank
correlation, 0.15 for atomic criteria, 0.10 for form, and 0 for padding. What differs, and why:

- An outage of the judge gives no reward at all: None, with the reason, so that the sample is left out. The
  original pays 0.10, less than the 0.25 of a perfectly wrong rubric, and teaches from broken instruments.
- A rubric that ties all candidates has its rank part at the neutral 0.5 and earns nothing for its wording:
  0.375 by the paper's weights. The original pays 0.625, which is what a well-worded guess earns on average.
- Correlations over few candidates are shrunk (`few`); a control arm can be taken away (`control`).
- Repetition is counted in any script, atomic criteria by code, and a rubric that gives a secret away earns 0.
- An unreadable reply earns 0, the floor, as in the original.

No torch, no TRL: the adapters `trl` and `verl` hand completions here, and all give the same number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

from langchain_core.messages import AIMessage
from pydantic import Field, model_validator

from coreact.errors import ConfigError
from coreact.generate.grounded.leak import leaks
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.ordering import agreement
from coreact.judge.panel import Ranker
from coreact.judge.replies import UnreadableError, said
from coreact.judge.runner import Judge
from coreact.rubric import Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.settings import Settings
from coreact.train.rewards.candidates import CandidateOrder, Order
from coreact.train.rewards.contract import NO_CONTRAST, textual
from coreact.train.rewards.control import Against, ControlArm, lift
from coreact.train.rewards.earned import Reward as Reward
from coreact.train.rewards.few import FULL, trust
from coreact.train.rewards.taken import plain_gain, taken_gain
from coreact.train.rewards.text import format_score, repetition, wording

RankStatistic = Literal["spearman", "pairwise", "taken"]
"""What the induced order is measured by. `spearman`: Spearman's correlation over all candidates;
`pairwise`: whether one pair of unequal candidates, drawn by the point, is in the right order (the
ablation of Co-ReAct's paper); `taken`: what the loop's action gains over the agent's own, as a share of
what the candidates' gains differ by (`coreact.train.rewards.taken`)."""


class RewardSettings(Settings):
    """What a rubric is rewarded for. Weights are relative; the reward is the weighted mean of the parts."""

    ranking: float = Field(default=0.75, ge=0, allow_inf_nan=False)
    """Weight of the rank part."""
    atomic: float = Field(default=0.15, ge=0, allow_inf_nan=False)
    """Weight of the share of criteria that make one demand, which somebody can decide."""
    format: float = Field(default=0.10, ge=0, allow_inf_nan=False)
    """Weight of the form: number of criteria, sum of weights, nothing beside them."""
    focus: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Weight of the share of criteria that ask for one tool at most; 0 in the paper's code as well."""
    rank: RankStatistic = "spearman"
    full_candidates: int = Field(default=FULL, ge=2)
    """Candidates from which on a correlation counts in full; 2 is the paper's plain mapping."""
    control: Against = "none"
    """How the order without a rubric is taken away."""
    least: int = Field(default=3, ge=1)
    """Fewest criteria in good form."""
    most: int = Field(default=5, ge=1)
    """Most criteria in good form."""
    weight_tolerance: float = Field(default=0.15, gt=0)
    """How far from 1 the weights may add up in good form, exclusive."""
    floor_criteria: int = Field(default=1, ge=1)
    """Criteria below which a rubric earns 0; Co-ReAct has 2."""
    max_repetition: float = Field(default=0.4, ge=0, le=1)
    """Share of repeated text above which a rubric earns 0; 1 turns the gate off."""
    both_orders: bool = False
    """Ask the judge twice, with the criteria in both orders, and keep what both say."""
    seed: int = 0
    """Of the order of criteria before a judge, of labels, and of pairs."""

    @model_validator(mode="after")
    def _usable(self) -> RewardSettings:
        if not self.ranking + self.atomic + self.format + self.focus > 0:
            raise ValueError("at least one weight must be greater than 0")
        if self.least > self.most:
            raise ValueError("`least` must not be greater than `most`")
        return self


class RubricReward:
    """Rewards completions that are to be rubrics. Picklable if its judge is.

    Args:
        settings: what is rewarded.
        form: in which form completions are written: `lines` or `sheet`.
        judge: decides (`Judge`) or ranks by (`Ranker`) criteria without a check. None: such criteria count
            neither for nor against, so a rubric of prose alone ties all candidates.
        control: a fixed rubric or a ranker as the control arm instead of the usual one, see `ControlArm`.
        secrets: by question id, texts that a rubric must not give away unless they are visible, such as the
            accepted answers.

    Raises:
        ConfigError: the form is one that a completion cannot be read in, or a ranker is to tell what a loop
            would take (`rank = "taken"`).
    """

    def __init__(
        self,
        settings: RewardSettings | None = None,
        *,
        form: Form,
        judge: Judge | Ranker | None = None,
        control: Rubric | Ranker | None = None,
        secrets: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.settings = settings or RewardSettings()
        if self.settings.rank == "taken" and any(isinstance(one, Ranker) for one in (judge, control)):
            raise ConfigError(
                "A ranker says which step is better, not which one passes: what a loop takes is unknown.",
                remedy='Give a `Judge`, or another `rank` than "taken".',
            )
        self.form = textual(form)
        self._secrets = {key: tuple(texts) for key, texts in (secrets or {}).items()}
        self._judged = judge is not None
        self._order = CandidateOrder(judge, both_orders=self.settings.both_orders, seed=self.settings.seed)
        self._control = ControlArm(self._order, judge, by=control)

    def score(self, completion: str, point: BranchingPoint) -> Reward:
        """The reward of one completion, blocking.

        Args:
            completion: the text that a model wrote, thoughts before the rubric included.
            point: the decision it was written for.
        """
        return serve(self._scoring(completion, point))

    async def ascore(self, completion: str, point: BranchingPoint) -> Reward:
        """The same, without blocking the event loop; the judge is asked about all candidates side by side."""
        return await aserve(self._scoring(completion, point))

    def _scoring(self, completion: str, point: BranchingPoint) -> Asking[Reward]:
        if not point.has_contrast:
            return Reward(masked=NO_CONTRAST)
        told, rubric = self._drafted(completion, point)
        if rubric is None or told.problem:
            return told.model_copy(update={"value": 0.0})
        order = yield from self._order.ordering(rubric, point)
        if order.broken is not None:
            return told.model_copy(update={"masked": f"judge: {order.broken}", "calls": order.calls})
        control: Order | None = None
        if self.settings.control != "none":
            control = yield from self._control.ordering(point)
            if control.broken is not None:
                calls = order.calls + control.calls
                return told.model_copy(update={"masked": f"control: {control.broken}", "calls": calls})
        return self._rewarded(told, point, order, control)

    def _drafted(self, completion: str, point: BranchingPoint) -> _Draft:
        """What can be said without looking at candidates."""
        settings = self.settings
        try:
            text = said(AIMessage(completion))
        except UnreadableError as error:
            return _Draft(Reward(problem=str(error)), None)
        repeated = repetition(text)
        read = read_reply(text, point.state, form=self.form, source="policy")
        if read.rubric is None:
            problem = read.problem or "it holds no criterion"
            return _Draft(Reward(problem=problem, repetition=repeated), None)
        criteria = read.rubric.criteria
        shares = wording(criteria, point.state, judged=self._judged)
        answers = self._secrets.get(point.question_id, ())
        written = "\n".join((text, *(one.text for one in criteria)))
        leaked = bool(answers and leaks(written, answers=answers, visible=point.state))
        problem = ""
        if len(criteria) < settings.floor_criteria:
            problem = f"fewer than {settings.floor_criteria} criteria can be used"
        elif repeated > settings.max_repetition:
            problem = "it repeats itself"
        elif leaked:
            problem = "it gives away what must not be known"
        return _Draft(
            Reward(
                problem=problem,
                format=format_score(
                    text,
                    criteria,
                    least=settings.least,
                    most=settings.most,
                    tolerance=settings.weight_tolerance,
                ),
                atomic=shares.atomic,
                focus=shares.focus,
                repetition=repeated,
                leaked=leaked,
                criteria=len(criteria),
                checked=sum(one.check is not None for one in criteria),
            ),
            read.rubric,
        )

    def _rewarded(self, told: Reward, point: BranchingPoint, order: Order, control: Order | None) -> Reward:
        settings = self.settings
        tied = len({score for score in order.scores if score is not None}) < 2
        value = self._agreement(order, point)
        unguided = None if control is None else self._agreement(control, point)
        rank = (lift(value, unguided or 0.0, settings.control) + 1) / 2
        parts = (
            (settings.atomic, told.atomic),
            (settings.format, told.format),
            (settings.focus, told.focus),
        )
        worded = sum(weight * (part or 0.0) for weight, part in parts)
        whole = settings.ranking + settings.atomic + settings.format + settings.focus
        earned = settings.ranking * rank + (0.0 if tied else worded)
        return told.model_copy(
            update={
                "value": min(1.0, max(0.0, earned / whole)),
                "spearman": _spearman(order, point),
                "control": None if control is None else _spearman(control, point),
                "rank": rank,
                "tied": tied,
                "calls": order.calls + (0 if control is None else control.calls),
            }
        )

    def _agreement(self, order: Order, point: BranchingPoint) -> float:
        """How far an order is right, in [-1, 1], by the statistic of the settings."""
        settings = self.settings
        if settings.rank == "pairwise":
            return _pair(order, point, seed=settings.seed)
        if settings.rank == "taken":
            return _lift(order, point)
        return _spearman(order, point) * trust(len(point.candidates), full=settings.full_candidates)


class _Draft(NamedTuple):
    """What a completion earns for how it says what it says."""

    told: Reward
    rubric: Rubric | None


def _spearman(order: Order, point: BranchingPoint) -> float:
    return agreement(order.scores, point.gains) or 0.0  # points without contrast were masked before


def _lift(order: Order, point: BranchingPoint) -> float:
    """What the action taken gains over one proposal unguided, as a share of the spread, in [-1, 1]."""
    gains, proposed = point.gains, [one.proposed for one in point.candidates]
    lifted = taken_gain(order.scores, gains, proposed) - plain_gain(gains, proposed)
    return max(-1.0, min(1.0, lifted / (max(gains) - min(gains))))  # floats of any size round


def _pair(order: Order, point: BranchingPoint, *, seed: int) -> float:
    """1 where a drawn pair of unequal candidates is in the right order, -1 in the wrong one, 0 in none.

    One pair for a point, so that all rubrics of a group are asked the same.
    """
    gains = point.gains
    pairs = [(a, b) for a in range(len(gains)) for b in range(len(gains)) if gains[a] > gains[b]]
    # By worth and content of the candidates, not by their places: their order must not matter.
    pairs.sort(key=lambda pair: tuple((gains[at], str(point.actions[at])) for at in pair))
    better, worse = Random(f"{seed}|{point.id}").choice(pairs)
    left, right = order.scores[better], order.scores[worse]
    if left is None or right is None or left == right:
        return 0.0
    return 1.0 if left > right else -1.0
