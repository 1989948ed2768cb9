"""Whether a check decides what its sentence says: it is compared with labels of the same actions.

A check that was read off a sentence may be wrong about it in ways that no test of the code can show. So it
is held against verdicts on the sentence itself, from people or from a judge that saw the prose only. Where
the two part too often the sentence stays prose. With too few labels, or labels of one kind only, nothing
was tested, and the answer says so: it is never "passed".

What a check does not decide (not applicable, unknown) counts neither for nor against it; it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from coreact.generate.compiling.reading import reading
from coreact.judge.consult import aconsult, consult
from coreact.judge.records import Cost
from coreact.judge.runner import Judge, Ruling, run_checks
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.rubric.remarks import Remark
from coreact.rubric.rubric import Polarity
from coreact.rubric.state import Record

LEAST = 6
"""Fewest labels that the check decided on, from which on its agreement counts."""

MINIMUM_AGREEMENT = 0.8
"""Share of equal verdicts, in [0, 1], below which a check is not kept."""


class Labelled(Record):
    """An action and whether it meets a criterion, by somebody who read the criterion's text."""

    action: Action
    state: State
    status: Literal["met", "unmet"]
    """Of the criterion: under the polarity `forbid`, `met` is an action without the bad thing."""


class Faithfulness(NamedTuple):
    """How a check agrees with labels."""

    agreement: float | None
    """Share of equal verdicts among the decided ones, in [0, 1], higher is better; None: none decided."""
    kappa: float | None
    """Cohen's kappa in [-1, 1]: agreement beyond chance; None where one side knows one verdict only."""
    n: int
    """Labels that the check decided on."""
    silent: int
    """Labels on which it did not decide."""
    contrast: bool
    """Whether both labels, met and unmet, are among the decided ones."""
    disagreements: tuple[Labelled, ...]
    """Where the check says the opposite."""


class Kept(NamedTuple):
    """A criterion with its check or without, and why."""

    criterion: Criterion
    remark: Remark
    tested: bool
    """False: there were too few labels to tell."""


class Labels(NamedTuple):
    """What a judge said of a criterion's prose, and what it cost."""

    labelled: tuple[Labelled, ...]
    cost: Cost


def faithfulness(criterion: Criterion, labelled: Iterable[Labelled]) -> Faithfulness:
    """Compare a criterion's check with labels of the same actions.

    Raises:
        ValueError: the criterion has no check.
    """
    if criterion.check is None:
        raise ValueError(f"criterion {criterion.id!r} has no check")
    rubric = Rubric(criteria=(criterion.model_copy(update={"depends_on": ()}),))
    return _compared([(label, _decided(rubric, label)) for label in labelled])


def kept(
    criterion: Criterion,
    labelled: Iterable[Labelled],
    *,
    least: int = LEAST,
    minimum_agreement: float = MINIMUM_AGREEMENT,
) -> Kept:
    """The criterion with its check where that agrees with the labels, otherwise as prose.

    Args:
        criterion: a criterion with a check.
        labelled: labels of its text.
        least: fewest decided labels to test with, of both kinds; with fewer the check stays untested.
        minimum_agreement: share of equal verdicts, in [0, 1].

    Raises:
        ValueError: the criterion has no check.
    """
    found = faithfulness(criterion, labelled)
    if found.agreement is None or found.n < least or not found.contrast:
        kinds = "" if found.contrast or not found.n else ", all of one kind"
        reason = f"its check is untested: {found.n} labels decided{kinds}, {least} of both kinds needed"
        return Kept(criterion, Remark.about(criterion.text, "found", reason), tested=False)
    reason = f"its check agrees with {found.agreement:.0%} of {found.n} labels"
    if found.agreement < minimum_agreement:
        prose = criterion.model_copy(update={"check": None})
        told = f"{reason}, {minimum_agreement:.0%} needed: it stays prose"
        return Kept(prose, Remark.about(criterion.text, "dropped", told, "unfaithful"), tested=True)
    return Kept(criterion, Remark.about(criterion.text, "kept", reason), tested=True)


def label_with(judge: Judge, criterion: Criterion, actions: Sequence[Action], state: State) -> Labels:
    """Have a judge label actions by the criterion's prose; what it cannot tell is left out."""
    prose = _prose(criterion)
    return _labels(actions, state, [consult(judge, (prose,), action, state) for action in actions])


async def alabel_with(judge: Judge, criterion: Criterion, actions: Sequence[Action], state: State) -> Labels:
    """The same, without blocking the event loop."""
    prose = _prose(criterion)
    return _labels(actions, state, [await aconsult(judge, (prose,), action, state) for action in actions])


# --- the grammar as a whole -----------------------------------------------------------------------


class Case(NamedTuple):
    """A sentence and what somebody who reads it says of an action."""

    sentence: str
    action: Action
    state: State
    status: Literal["met", "unmet"]
    polarity: Polarity = "require"


def form_agreement(cases: Iterable[Case]) -> dict[str, Faithfulness]:
    """How the checks of each form agree with labels; under `""` the sentences that were not read."""
    by_form: dict[str, list[tuple[Labelled, str | None]]] = {}
    for case in cases:
        label = Labelled(action=case.action, state=case.state, status=case.status)
        read = reading(case.sentence, case.state, case.polarity)
        decided = None
        if read is not None:
            criterion = Criterion(id="c1", text=case.sentence, polarity=case.polarity, check=read.check)
            decided = _decided(Rubric(criteria=(criterion,)), label)
        by_form.setdefault("" if read is None else read.form, []).append((label, decided))
    return {form: _compared(pairs) for form, pairs in sorted(by_form.items())}


# --- comparing ------------------------------------------------------------------------------------


def _decided(rubric: Rubric, label: Labelled) -> str | None:
    decided = run_checks(rubric, label.action, label.state).decided
    return next((verdict.status for verdict in decided if verdict.status in ("met", "unmet")), None)


def _compared(pairs: Sequence[tuple[Labelled, str | None]]) -> Faithfulness:
    decided = [(label, said) for label, said in pairs if said is not None]
    n = len(decided)
    equal = sum(label.status == said for label, said in decided)
    labelled_met = sum(label.status == "met" for label, _ in decided)
    said_met = sum(said == "met" for _, said in decided)
    # Of what both would agree on by chance, n² fold.
    chance = labelled_met * said_met + (n - labelled_met) * (n - said_met)
    return Faithfulness(
        agreement=equal / n if n else None,
        kappa=(equal * n - chance) / (n * n - chance) if n and chance < n * n else None,
        n=n,
        silent=len(pairs) - n,
        contrast=0 < labelled_met < n,
        disagreements=tuple(label for label, said in decided if label.status != said),
    )


def _prose(criterion: Criterion) -> Criterion:
    return criterion.model_copy(update={"check": None, "depends_on": ()})


def _labels(actions: Sequence[Action], state: State, rulings: Sequence[Ruling]) -> Labels:
    labelled: list[Labelled] = []
    for action, ruling in zip(actions, rulings, strict=True):
        status = ruling.verdicts[0].status
        if status == "met" or status == "unmet":
            labelled.append(Labelled(action=action, state=state, status=status))
    return Labels(tuple(labelled), sum((ruling.cost for ruling in rulings), Cost()))
