"""Of several analyses of the same criterion, the best grounded one decides, not the most frequent.

After ReflectRM (arXiv 2604.07506), which samples analyses and keeps those it prefers to an anchor. There
a trained model says which analysis is better. Here code rates what code can check (`groundedness`).
A comparer can be given for the rest; it is asked in both orders, and a preference that turns with the
order is none. What code cannot see is whether a true quote is to the point, and absence has no quote,
so an analysis that finds nothing is rated below one that quotes anything: the confidence (the share of
the analyses that agree) shows where the choice went against the count.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import Literal, NamedTuple

from coreact.errors import ConfigError
from coreact.judge.consult import aconsult, consult
from coreact.judge.panel.groundedness import Sources, groundedness
from coreact.judge.panel.members import atogether, together
from coreact.judge.panel.voting import Ballot, tally
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import Action, Criterion, State
from coreact.rubric.canonical import digest

Preference = Literal["first", "second", "tie"]
"""Which of two analyses is the better one."""

Compare = Callable[[Criterion, Verdict, Verdict, Sources], Preference]
"""Says which of two analyses of a criterion is better; it may ask a model, and may block."""


class Analysis(NamedTuple):
    """One judge's verdict on a criterion, and how well it is grounded."""

    verdict: Verdict
    grounding: float
    """In [0, 1), higher is better; see `groundedness`."""


class Choice(NamedTuple):
    """Which analysis of a criterion was chosen, and what else there was."""

    verdict: Verdict
    """What the chosen analysis says; `unknown` where the best ones contradict each other."""
    analyses: tuple[Analysis, ...]
    """All of them, those that could not tell included."""
    majority: Status | None
    """What more than half of the analyses that could tell say; None where no status has so many."""
    swap_consistency: float | None
    """Share of the comparisons that came out alike in both orders, in [0, 1]; None where none was made."""


class Selection(NamedTuple):
    """The choice for each criterion, and what all analyses cost."""

    choices: tuple[Choice, ...]
    cost: Cost
    """Calls, tokens and money of all analyses; seconds as the clock on the wall counts them."""


def choose(
    criterion: Criterion,
    verdicts: Sequence[Verdict],
    sources: Sources,
    *,
    by: str,
    min_valid: int = 1,
    compare: Compare | None = None,
) -> Choice:
    """Choose among several analyses of one criterion.

    The best grounded decide. With a comparer, an analysis that contradicts them and is preferred, in
    both orders, to every best grounded one that it contradicts takes their place. Whoever is left and
    not of one mind is counted; no majority among them is `unknown`.

    Args:
        criterion: the criterion.
        verdicts: one analysis each, at least one.
        sources: the texts they may rest on.
        by: id of whoever chooses.
        min_valid: analyses that must come to a decision, at least 1.
        compare: says which of two analyses is better.
    """
    analyses = tuple(Analysis(verdict, groundedness(verdict, criterion, sources)) for verdict in verdicts)
    counted = tally([Ballot(verdict) for verdict in verdicts], vote="majority", min_valid=min_valid, by=by)
    valid = [analysis for analysis in analyses if analysis.verdict.status != "unknown"]
    if len(valid) < min_valid:
        return Choice(counted, analyses, None, None)
    majority = None if counted.status == "unknown" else counted.status
    best = max(analysis.grounding for analysis in valid)
    final = [analysis for analysis in valid if analysis.grounding == best]
    consistency = None
    if compare is not None:
        duels = _Duels(criterion, sources, compare)
        final = duels.preferred(valid, final) or final
        consistency = duels.consistency
    decided = tally([Ballot(one.verdict) for one in final], vote="majority", min_valid=1, by=by)
    if decided.status == "unknown":
        return Choice(decided, analyses, majority, consistency)
    chosen = max(
        (one for one in final if one.verdict.status == decided.status), key=lambda one: one.grounding
    )
    against = "" if majority == decided.status else f"; counting them says {majority or 'nothing'}"
    same = sum(one.verdict.status == decided.status for one in valid)
    verdict = decided.model_copy(
        update={
            "reason": f"{chosen.verdict.reason} (chosen of {len(valid)} analyses{against})",
            "confidence": same / len(valid),
        }
    )
    return Choice(verdict, analyses, majority, consistency)


class _Duels:
    """Comparisons of analyses of one criterion, each pair in both orders and only once."""

    def __init__(self, criterion: Criterion, sources: Sources, compare: Compare) -> None:
        self._criterion = criterion
        self._sources = sources
        self._compare = compare
        self._outcomes: list[bool] = []

    @property
    def consistency(self) -> float | None:
        return sum(self._outcomes) / len(self._outcomes) if self._outcomes else None

    def preferred(self, valid: Sequence[Analysis], best: Sequence[Analysis]) -> list[Analysis]:
        """The analyses that beat every one of the best that they contradict, and contradict any."""
        beats: set[tuple[int, int]] = set()
        opponents: dict[int, set[int]] = {at: set() for at in range(len(valid))}
        for first, second in combinations(range(len(valid)), 2):
            one, other = valid[first], valid[second]
            if one.verdict.status == other.verdict.status or (one not in best and other not in best):
                continue
            if other in best:
                opponents[first].add(second)
            if one in best:
                opponents[second].add(first)
            winner = self._winner(one.verdict, other.verdict)
            if winner != "tie":
                beats.add((first, second) if winner == "first" else (second, first))
        return [
            valid[at]
            for at, against in opponents.items()
            if against and all((at, opponent) in beats for opponent in against)
        ]

    def _winner(self, one: Verdict, other: Verdict) -> Preference:
        straight = self._compare(self._criterion, one, other, self._sources)
        swapped = self._compare(self._criterion, other, one, self._sources)
        turned: dict[Preference, Preference] = {"first": "second", "second": "first", "tie": "tie"}
        self._outcomes.append(straight == turned[swapped])
        return straight if self._outcomes[-1] else "tie"


class BestAnalysis:
    """A judge that has each criterion analysed several times and lets the best analysis decide.

    Args:
        judges: who analyses, at least one.
        samples: analyses by each judge, at least 1. More than one needs a judge that neither remembers
            its verdicts nor samples at temperature 0.
        min_valid: analyses of a criterion that must come to a decision.
        compare: says which of two analyses is better; None: grounding alone decides.

    Raises:
        ConfigError: there is no judge, or a number is out of range.
    """

    def __init__(
        self, judges: Sequence[Judge], *, samples: int = 1, min_valid: int = 1, compare: Compare | None = None
    ) -> None:
        self.judges = tuple(judges)
        """Who analyses."""
        self._asked = self.judges * max(samples, 0)
        if not 1 <= min_valid <= len(self._asked):
            raise ConfigError(
                f"{len(self._asked)} analyses cannot hold {min_valid} valid ones.",
                remedy="Give judges, one sample or more of each, and min_valid from 1 to their product.",
            )
        self._min_valid = min_valid
        self._compare = compare
        self.version = digest(
            {
                "judges": [str(getattr(judge, "version", judge.id)) for judge in self._asked],
                "min_valid": min_valid,
                "compared": compare is not None,
            }
        )
        """Hash of the judges' versions and the settings; of a comparer only that there is one."""
        names = "+".join(judge.id for judge in self.judges)
        self.id = f"best-of-{len(self._asked)}({names})@{self.version.rsplit(':', 1)[-1][:8]}"

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Let all analyse at once and choose, blocking."""
        return _ruling(self.select(criteria, action, state))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same, without blocking the event loop."""
        return _ruling(await self.aselect(criteria, action, state))

    def select(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Selection:
        """The choices with everything they were made from."""
        started = time.perf_counter()
        rulings = together([partial(consult, judge, criteria, action, state) for judge in self._asked])
        return self._select(criteria, rulings, Sources.of(action, state), started)

    async def aselect(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Selection:
        """The same, without blocking the event loop; a comparer runs in a thread."""
        started = time.perf_counter()
        rulings = await atogether(
            [partial(aconsult, judge, criteria, action, state) for judge in self._asked]
        )
        return await asyncio.to_thread(self._select, criteria, rulings, Sources.of(action, state), started)

    def _select(
        self, criteria: tuple[Criterion, ...], rulings: Sequence[Ruling], sources: Sources, started: float
    ) -> Selection:
        said = [{verdict.criterion: verdict for verdict in ruling.verdicts} for ruling in rulings]
        choices = tuple(
            choose(
                criterion,
                [by_id[criterion.id] for by_id in said],
                sources,
                by=self.id,
                min_valid=self._min_valid,
                compare=self._compare,
            )
            for criterion in criteria
        )
        spent = sum((ruling.cost for ruling in rulings), Cost())
        return Selection(choices, spent.model_copy(update={"seconds": time.perf_counter() - started}))


def _ruling(selection: Selection) -> Ruling:
    return Ruling(tuple(choice.verdict for choice in selection.choices), selection.cost)
