"""The meta-rubric: how criteria are created, weighted and enforced, in one file that people edit.

From OpenRS (arXiv 2602.14069), where an editable constitution drives how rubrics are written and counted by
code. Here it is a TOML file over any generator: which kinds of criteria are let in and how many, what each is
worth, and what failing one means. What a generator wrote is changed by these rules and nothing else, each
change with a remark. Its own refinement by evolutionary search is not done here.

A veto is given to executable criteria only: what blocks a step must not hang on an opinion.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from coreact.generate.bank.subset import subset
from coreact.generate.bank.tables import read_table
from coreact.generate.bank.weighting import Weighting, as_weight, normalised
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.judge.panel.family import model_names
from coreact.rubric import Criterion, CriterionKind, Record, Rubric, State
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Problem, Remark
from coreact.rubric.rubric import MAX_CRITERION_CHARS
from coreact.rubric.words import words

Enforcement = Literal["gate", "score", "advice"]
"""What a rubric does to a step. `gate`: an unmet veto fails it, and so does a score below the threshold;
`score`: only the score counts, there are no vetoes; `advice`: nothing fails it, the rubric informs."""


class Creation(Record):
    """Which criteria are let in."""

    kinds: tuple[CriterionKind, ...] = get_args(CriterionKind)
    """Kinds that are let in; others are dropped."""
    least: int = Field(default=1, ge=1)
    """Criteria without which there is no rubric."""
    most: int = Field(default=5, ge=1, le=50)
    """Criteria that are kept, the heaviest."""
    most_words: int = Field(default=40, ge=1, le=MAX_CRITERION_CHARS)
    """Words of one criterion; longer ones are dropped."""
    phrasing: tuple[str, ...] = ()
    """How criteria are to be worded, one sentence each, for whoever writes them. Code does not enforce it."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least ({self.least}) is above most ({self.most})")
        if not self.kinds:
            raise ValueError("no kind is let in")
        return self


class Weights(Weighting):
    """What criteria are worth."""

    basis: Literal["writer", "equal"] = "writer"
    """What factors apply to: the share that its writer gave a criterion, or the same for each."""
    cap: float = Field(default=1.0, gt=0, le=1)
    """Largest share of one criterion; what is above is spread over the others."""


class Enforcing(Record):
    """What failing a criterion, or the rubric, means."""

    enforcement: Enforcement = "gate"
    threshold: float | None = Field(default=None, ge=0, le=1)
    """Score in [0, 1] from which on a step passes; left out: what the writer says."""
    veto: tuple[CriterionKind, ...] = ()
    """Kinds whose executable criteria veto, besides those whose writer made them vetoes."""


class Applied(NamedTuple):
    """A rubric under a meta-rubric, and what was done to it."""

    rubric: Rubric | None
    """None where fewer criteria are left than there must be."""
    remarks: tuple[Remark, ...]


class MetaRubric(Record):
    """Rules for rubrics."""

    create: Creation = Creation()
    weigh: Weights = Weights()
    enforce: Enforcing = Enforcing()

    @classmethod
    def load(cls, path: Path) -> Self:
        """The meta-rubric in a TOML file.

        Raises:
            ConfigError: the file cannot be read, or names the key that is unknown or out of range.
        """
        return read_table(path, cls)

    @classmethod
    def default(cls) -> Self:
        """The one that comes with the library: `meta_rubric.toml` beside this module, to copy and edit."""
        return cls.load(Path(__file__).with_name("meta_rubric.toml"))

    @property
    def version(self) -> str:
        """Eight digits of the hash of its content."""
        return digest(self.model_dump()).rsplit(":", 1)[-1][:8]

    def instructions(self) -> str:
        """How criteria are to be created, as sentences for a writer's prompt. Trusted as the file is."""
        create = self.create
        return "\n".join(
            [
                f"Write {create.least} to {create.most} criteria of at most {create.most_words} words each.",
                f"Kinds of criteria: {', '.join(create.kinds)}.",
                *create.phrasing,
            ]
        )

    def apply(self, rubric: Rubric) -> Applied:
        """The rubric under these rules. Pure; never raises on data."""
        remarks: list[Remark] = []
        criteria = self._let_in(rubric, remarks)
        if len(criteria) < self.create.least:
            reason = f"{len(criteria)} criteria are left; there must be {self.create.least}"
            return Applied(None, (*remarks, Remark(deed="refused", reason=reason, problem="too_few")))
        shares = _capped(self._shares(criteria), Fraction(self.weigh.cap))
        if shares != normalised([Fraction(criterion.weight) for criterion in criteria]):
            remarks.append(Remark(deed="weighted", reason=f"by meta-rubric {self.version}"))
        enforce = self.enforce
        advice = enforce.enforcement == "advice"
        threshold = rubric.threshold if enforce.threshold is None else enforce.threshold
        return Applied(
            Rubric(
                criteria=tuple(
                    criterion.model_copy(update={"weight": as_weight(share), "veto": self._vetoes(criterion)})
                    for criterion, share in zip(criteria, shares, strict=True)
                ),
                scope=rubric.scope,
                threshold=0.0 if advice else threshold,
            ),
            tuple(remarks),
        )

    def _let_in(self, rubric: Rubric, remarks: list[Remark]) -> tuple[Criterion, ...]:
        def drop(criterion: Criterion, reason: str, problem: Problem | None = None) -> None:
            remarks.append(Remark.about(criterion.text, "dropped", reason, problem))

        def fits(criterion: Criterion) -> bool:
            if criterion.kind not in self.create.kinds:
                drop(criterion, f"kind {criterion.kind!r} is not let in")
            elif len(words(criterion.text)) > self.create.most_words:
                drop(criterion, f"it has more than {self.create.most_words} words", "over_long")
            else:
                return True
            return False

        fitting = subset(rubric, fits)
        ranked = sorted(
            zip(fitting.criteria, self._shares(fitting.criteria), strict=True), key=lambda pair: -pair[1]
        )
        heaviest = {criterion.id for criterion, _ in ranked[: self.create.most]}
        kept = subset(fitting.criteria, lambda criterion: criterion.id in heaviest)
        for criterion in fitting.criteria:
            if criterion.id not in heaviest:
                drop(criterion, f"{self.create.most} criteria weigh more", "too_many")
        for orphan in (*fitting.orphans, *(one for one in kept.orphans if one.id in heaviest)):
            drop(orphan, "it depends on one that was dropped")
        return kept.criteria

    def _shares(self, criteria: tuple[Criterion, ...]) -> list[Fraction]:
        if not criteria:
            return []
        equal = self.weigh.basis == "equal"
        return normalised(
            [
                (Fraction(1) if equal else Fraction(criterion.weight))
                * Fraction(self.weigh.factor(criterion))
                for criterion in criteria
            ]
        )

    def _vetoes(self, criterion: Criterion) -> bool:
        if self.enforce.enforcement != "gate":
            return False
        return criterion.veto or (criterion.check is not None and criterion.kind in self.enforce.veto)


def _capped(shares: list[Fraction], cap: Fraction) -> list[Fraction]:
    """Shares with none above the cap; where that cannot be, all are equal."""
    if cap * len(shares) <= 1:
        return [Fraction(1, len(shares))] * len(shares)
    at_cap: set[int] = set()
    while True:
        free = [at for at in range(len(shares)) if at not in at_cap]
        rest = 1 - cap * len(at_cap)
        spread = dict(zip(free, normalised([shares[at] for at in free], rest), strict=True))
        above = {at for at, share in spread.items() if share > cap}
        if not above:
            return [cap if at in at_cap else spread[at] for at in range(len(shares))]
        at_cap |= above


class MetaRubricGenerator:
    """Writes what another generator writes, under a meta-rubric.

    Args:
        inner: the generator that writes.
        meta: the rules; None: those that come with the library.
    """

    def __init__(self, inner: RubricGenerator, meta: MetaRubric | None = None) -> None:
        self._inner = inner
        self.meta = meta or MetaRubric.default()
        """The rules."""
        self.id = f"meta({inner.id}@{self.meta.version})"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(self._inner)

    def write(self, state: State) -> Written:
        """Write and apply the rules, blocking.

        Raises:
            NoRubricError: too few criteria are left.
            GenerationError: the inner generator failed.
        """
        return self._ruled(self._inner.write(state))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        return self._ruled(await self._inner.awrite(state))

    def _ruled(self, written: Written) -> Written:
        rubric, remarks = self.meta.apply(written.rubric)
        told = (*written.remarks, *remarks)
        if rubric is None:
            raise NoRubricError(
                f"Too few criteria are left under meta-rubric {self.meta.version}.",
                generator=self.id,
                cause="unsupported",
                cost=written.cost,
                remarks=told,
            )
        return Written(rubric, written.cost, told)
