"""Tests of a rubric that need no label, so that they can be made in any state at run time.

None of them shows that a rubric prefers the right step: a well-formed rubric that tells candidates apart may
tell them apart the wrong way round. They shut out what cannot help: rubrics that are malformed, that put
everything on one level, or that no action could follow without breaking what every call must keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from coreact.generate.contracts import ContractGenerator
from coreact.generate.gate.candidates import compliant, identity, perturbed
from coreact.generate.gate.results import ROUNDING, GateResult, Thresholds, untested
from coreact.judge.asking import aserve, serve
from coreact.judge.ordering import judged, judging, outage, standing
from coreact.judge.records import Judgement
from coreact.judge.runner import Judge, run_checks, undecided
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Criterion, NotRepeat, Rubric, State, ToolIs, ToolIsNot
from coreact.rubric.checks import (
    AnswerFitsSchema,
    ArgumentInRange,
    ArgumentMatches,
    HasProvenance,
    PredicateHolds,
)
from coreact.rubric.lint import SERIOUS
from coreact.rubric.lint import lint as findings

_REPEAT = NotRepeat()

CONTRACTS = ContractGenerator(plan_length=2)
"""All four families, also for an agent with one tool: sparing it retries is no concern here."""

_BEYOND = (AnswerFitsSchema, ArgumentInRange, ArgumentMatches, HasProvenance, PredicateHolds)
"""Checks that no action is built to meet: that all candidates fail one does not show that none could pass."""


def lint(
    rubric: Rubric, state: State, *, secrets: Sequence[str] = (), thresholds: Thresholds | None = None
) -> GateResult:
    """Whether the rubric is well formed: no serious problem, and few others.

    Args:
        rubric: the rubric to test.
        state: the state it was written for.
        secrets: texts that it must not hold, such as a reference answer.
        thresholds: the largest share of criteria with a problem that is not serious.

    Returns:
        `value` is the share of criteria with a problem, serious or not, in [0, 1], lower is better.
    """
    limits = thresholds or Thresholds()
    found = findings(rubric, state=state, secrets=secrets)
    serious = [one for one in found if one.problem in SERIOUS]
    value = min(1.0, len({one.criterion for one in found}) / len(rubric))
    passed = not serious and limits.allow("lint", value)
    first = next(iter((*serious, *found)), None)
    told = f", first: {first.problem}: {first.reason}" if first is not None else ""
    return GateResult(
        test="lint",
        passed=passed,
        value=value,
        threshold=limits.lint,
        reason=f"{len(serious)} serious problems, {value:.2f} of the criteria with a problem{told}",
        problem=None if passed or first is None else first.problem,
    )


def executable(rubric: Rubric, *, thresholds: Thresholds | None = None) -> GateResult:
    """Whether checks decide enough of the rubric.

    Returns:
        `value` is the share of the weight whose criteria have a check, in [0, 1], higher is better.
    """
    limits = thresholds or Thresholds()
    value = min(1.0, sum(rubric.share(criterion) for criterion in rubric if criterion.check is not None))
    passed = limits.allow("executable", value)
    return GateResult(
        test="executable",
        passed=passed,
        value=value,
        threshold=limits.executable,
        reason=f"checks decide {value:.2f} of the weight",
        problem=None if passed else "vague",
    )


def discrimination(
    rubric: Rubric,
    actions: Sequence[Action],
    state: State,
    *,
    judge: Judge | None = None,
    thresholds: Thresholds | None = None,
) -> GateResult:
    """Whether the rubric tells candidate actions apart.

    Args:
        rubric: the rubric to test.
        actions: the candidates: sampled ones, or those of `candidates.perturbed`.
        state: the state they are proposed in.
        judge: decides criteria without a check.
        thresholds: the smallest share of pairs told apart.

    Returns:
        `value` is the share of candidate pairs that it tells apart, in [0, 1]; 0 with fewer than two.
    """
    return discrimination_of(serve(judging(rubric, actions, state, judge)), thresholds or Thresholds())


async def adiscrimination(
    rubric: Rubric,
    actions: Sequence[Action],
    state: State,
    *,
    judge: Judge | None = None,
    thresholds: Thresholds | None = None,
) -> GateResult:
    """The same, without blocking the event loop."""
    return discrimination_of(await aserve(judging(rubric, actions, state, judge)), thresholds or Thresholds())


def discrimination_of(judgements: Sequence[Judgement], thresholds: Thresholds) -> GateResult:
    """The same from judgements."""
    if len(judgements) < 2:
        return untested("discrimination", "there are not two candidates to tell apart", value=0.0)
    cause = outage(judgements)
    if cause is not None:
        return untested("discrimination", f"the judge failed ({cause})", cause=cause)
    places = standing(judgements)
    if all(place is None for place in places):
        return untested("discrimination", "nobody could decide any criterion", value=0.0)
    pairs = list(combinations(places, 2))
    apart = sum(a is not None and b is not None and abs(a - b) > ROUNDING for a, b in pairs)
    value = apart / len(pairs)
    passed = thresholds.allow("discrimination", value)
    return GateResult(
        test="discrimination",
        passed=passed,
        value=value,
        threshold=thresholds.discrimination,
        reason=f"{apart} of {len(pairs)} candidate pairs are told apart",
        problem=None if passed else "undiscriminating",
    )


def contract_agreement(
    rubric: Rubric,
    state: State,
    actions: Sequence[Action] = (),
    *,
    contracts: ContractGenerator | None = None,
) -> GateResult:
    """Whether the rubric can be followed without breaking the contracts of a call.

    It contradicts them where a criterion demands a tool that does not exist or the repeat of an earlier
    call, or where it rejects every candidate that keeps the contracts: those given, the perturbed ones and
    those built to do what the rubric asks for. Only checks are run; what a judge would have to decide, or
    no candidate can be built for (a pattern, a schema), rejects nothing here.

    Args:
        rubric: the rubric to test.
        state: the state it was written for.
        actions: candidates beside those made here.
        contracts: what every call must keep.

    Returns:
        `value` is the share of contract-keeping candidates to which the rubric applies that it does not
        reject, in [0, 1].
    """
    demands = next((told for criterion in rubric if (told := _unknown_tool(criterion, state))), None)
    if demands is not None:
        return _contradiction(demands)
    made = (*actions, *(one.action for one in perturbed(state)), *compliant(rubric, state))
    tried = list({identity(action): action for action in made}.values())
    kept = judged((contracts or CONTRACTS).write(state).rubric, tried, state)
    keepers = [action for action, one in zip(tried, kept, strict=True) if one.passed is True]
    repeats = [action for action in tried if _REPEAT.evaluate(action, state).status == "unmet"]
    for criterion in rubric:
        if (told := _demanded_repeat(criterion, repeats, keepers, state)) is not None:
            return _contradiction(told)
    found = [_accepts(rubric, action, state) for action in keepers]
    concerned = [one for one in found if one is not None]
    if not concerned:
        return untested("contracts", "it says nothing about a candidate that keeps the contracts")
    value = sum(concerned) / len(concerned)
    if not any(concerned):
        return _contradiction(
            f"it rejects all {len(concerned)} candidates that keep the contracts", value=value
        )
    reason = f"{sum(concerned)} of {len(concerned)} candidates that keep the contracts are not rejected"
    return GateResult(test="contracts", passed=True, value=value, threshold=0.0, reason=reason)


def _contradiction(reason: str, *, value: float | None = None) -> GateResult:
    return GateResult(
        test="contracts", passed=False, value=value, threshold=0.0, reason=reason, problem="conflict"
    )


def _accepts(rubric: Rubric, action: Action, state: State) -> bool | None:
    """Whether an action could pass; None where nothing in the rubric applies to it."""
    beyond = {criterion.id for criterion in rubric if _is_beyond(criterion)}
    checked = run_checks(rubric, action, state)
    decided = [v for v in checked.decided if v.status != "unmet" or v.criterion not in beyond]
    known = {verdict.criterion for verdict in decided}
    rest = tuple(criterion for criterion in rubric if criterion.id not in known)
    verdicts = undecided(rest, reason="it takes more than checks", by="nobody", broken=False)
    found = judgement(rubric, (*decided, *verdicts))
    return found.passed is not False if found.total else None


def _is_beyond(criterion: Criterion) -> bool:
    return isinstance(criterion.check, _BEYOND) or "." in getattr(criterion.check, "argument", "")


def _unknown_tool(criterion: Criterion, state: State) -> str | None:
    check = criterion.check
    demands = (isinstance(check, ToolIs) and criterion.polarity == "require") or (
        isinstance(check, ToolIsNot) and criterion.polarity == "forbid"
    )
    if not demands or not isinstance(check, ToolIs | ToolIsNot):
        return None
    known = any(state.tool(name) is not None for name in check.tools)
    return None if known else f"criterion {criterion.id!r} demands a tool that does not exist"


def _demanded_repeat(
    criterion: Criterion, repeats: Sequence[Action], keepers: Sequence[Action], state: State
) -> str | None:
    """Say so where only the repeat of an earlier call meets it, though that tool can be called anew."""
    if criterion.check is None or _is_beyond(criterion):
        return None
    wanted = "met" if criterion.polarity == "require" else "unmet"
    met = [action for action in repeats if criterion.check.evaluate(action, state).status == wanted]
    names = {action.call.name for action in met if action.call is not None}
    anew = [action for action in keepers if action.call is not None and action.call.name in names]
    if not anew or any(criterion.check.evaluate(action, state).status == wanted for action in keepers):
        return None
    return f"criterion {criterion.id!r} is met by a repeat of an earlier call alone"
