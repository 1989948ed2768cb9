"""Judging a report's citations pair by pair, as FACT does: a statement, a source, and whether it says so.

`coreact.judge.grounding.audit` asks whether the sources of a claim state it together; here each source is
asked about alone. A source is what the agent's tools showed of it, never a page fetched afterwards. Code
decides first (nothing observed stands behind it, it stands there word for word, a number is nowhere in it);
without a judge the rest is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from coreact.bench.metrics.citations import Citations, CitedPair, without_repeats
from coreact.bench.records import Episode
from coreact.judge.grounding import Sources, split
from coreact.judge.grounding.citations import passages_of
from coreact.judge.grounding.inquiry import Inquiring, Inquiry, anchored, ask
from coreact.judge.grounding.sources import Passage
from coreact.judge.grounding.support import Support
from coreact.judge.records import Verdict
from coreact.judge.runner import Judge
from coreact.rubric import Observation, State, Step, ToolCall


def state_of(question: str, episode: Episode) -> State:
    """The trajectory of an episode, as far as it was kept: what its tools showed, in order."""
    steps = (
        Step(call=ToolCall(name=found.tool), observation=Observation(text=found.text, id=f"observation-{at}"))
        for at, found in enumerate(episode.found, start=1)
    )
    return State.start(question).after(*steps)


def citations(
    answer: str, state: State, judge: Judge | None = None, *, labels: Collection[str] = ()
) -> Citations:
    """The statement-source pairs of a report, without repeats, each judged.

    Args:
        answer: the report.
        state: the trajectory that led to it.
        judge: decides what code cannot; None: that stays `unknown`.
        labels: ids of all passages that there are. In brackets they are citations even where the
            trajectory never showed them; other bracketed words that it did not show are none.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    return ask(_cited(answer, state, labels), judge)


def _cited(answer: str, state: State, labels: Collection[str]) -> Inquiring[Citations]:
    sources, support = Sources(state), Support(state)
    claims = split(answer, labels={*sources.labels, *labels}).claims
    pairs = without_repeats(CitedPair(claim.text, key) for claim in claims for key in claim.cites)
    named = {f"p{number}": pair for number, pair in enumerate(pairs, start=1)}
    verdicts: dict[str, Verdict] = {}
    left: defaultdict[tuple[Passage, ...], dict[str, str]] = defaultdict(dict)
    for name, pair in named.items():
        passages = passages_of([sources.find(pair.source)])
        decided = support.weigh(pair.statement, passages, name)
        if decided is not None:
            verdicts[name] = decided
        else:
            left[passages][name] = pair.statement
    inquiries: list[Inquiry] = []
    for passages, statements in left.items():
        inquiries += support.inquiries(statements, passages, answer)
    rulings = yield tuple(inquiries)
    for asked, ruling in zip(inquiries, rulings, strict=True):
        shown = support.shown(asked.state)
        verdicts |= {verdict.criterion: anchored(verdict, shown) for verdict in ruling.verdicts}
    return Citations(tuple(pair._replace(status=verdicts[name].status) for name, pair in named.items()))
