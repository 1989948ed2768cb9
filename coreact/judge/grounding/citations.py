"""Audit of an answer's citations: what is cited, what stands behind it, what contradicts it.

Faithful and grounded as in ResearcherBench: faithful is the share of cited claims that their sources
support, grounded the share of claims that cite anything. What differs: a source is what the trajectory
observed of it, never a page fetched afterwards; code decides before a judge is asked; claims that
nobody could judge are counted apart and bound the figure instead of entering it. A reference that was
never observed, never opened or could not be opened is named, whether a claim cites it or not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from coreact.judge.grounding.claims import Claim, split
from coreact.judge.grounding.conflicts import Conflict, conflicts, inquiry
from coreact.judge.grounding.inquiry import Inquiring, Inquiry, aask, anchored, ask
from coreact.judge.grounding.sources import Passage, Source, Sources, Standing
from coreact.judge.grounding.support import Support
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge
from coreact.rubric import Record, State


class Citation(Record):
    """One source that an answer cites or lists."""

    key: str
    """Address, label or title."""
    standing: Standing
    messages: tuple[str, ...] = ()
    """Ids of the messages that show it."""


class AuditedClaim(Record):
    """A claim and what stands behind it."""

    claim: Claim
    citations: tuple[Citation, ...]
    verdict: Verdict
    """On whether the cited sources together state the claim: `met`: in full; `partial`: a part of it;
    `unmet`: no; `not_applicable`: it cites nothing; `unknown`: nobody could tell."""


class CitationAudit(Record):
    """What an audit found."""

    claims: tuple[AuditedClaim, ...]
    references: tuple[Citation, ...]
    """Every source that is cited or listed, in order, without repeats."""
    conflicts: tuple[Conflict, ...]
    cost: Cost = Cost()

    @property
    def cited(self) -> int:
        """Claims that cite something."""
        return sum(bool(audited.citations) for audited in self.claims)

    @property
    def supported(self) -> int:
        """Claims that their sources state in full."""
        return self._with("met")

    @property
    def unknown(self) -> int:
        """Cited claims that nobody could judge."""
        return self._with("unknown")

    @property
    def judged(self) -> int:
        """Cited claims that somebody could judge."""
        return self.cited - self.unknown

    @property
    def uncited(self) -> bool:
        """Whether the answer claims something and cites nothing at all."""
        return bool(self.claims) and not self.cited

    @property
    def faithful(self) -> float | None:
        """Supported claims over cited claims that were judged, in [0, 1], higher is better."""
        return self.supported / self.judged if self.judged else None

    @property
    def faithful_bounds(self) -> tuple[float, float] | None:
        """What `faithful` would be if all unknown claims were unsupported, or all supported."""
        if not self.cited:
            return None
        return self.supported / self.cited, (self.supported + self.unknown) / self.cited

    @property
    def grounded(self) -> float | None:
        """Claims that cite something over all claims, in [0, 1], higher is better; None without claims."""
        return self.cited / len(self.claims) if self.claims else None

    def standing(self, standing: Standing) -> tuple[str, ...]:
        """The references with a standing, e.g. the invented ones."""
        return tuple(reference.key for reference in self.references if reference.standing == standing)

    def _with(self, status: Status) -> int:
        return sum(audited.verdict.status == status for audited in self.claims)


def audit(answer: str, state: State, judge: Judge | None = None) -> CitationAudit:
    """Audit the citations of an answer against the trajectory that led to it.

    Args:
        answer: the answer or report.
        state: question and trajectory.
        judge: decides what code cannot; it is asked once for each set of sources that claims share,
            about at most ten claims in one call. None: such claims stay `unknown`.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    return ask(_audit(answer, state), judge)


async def aaudit(answer: str, state: State, judge: Judge | None = None) -> CitationAudit:
    """The same without blocking the event loop; the judge's calls run together."""
    return await aask(_audit(answer, state), judge)


def _audit(answer: str, state: State) -> Inquiring[CitationAudit]:
    sources, support = Sources(state), Support(state)
    report = split(answer, labels=sources.labels)
    rests_on = {claim.id: passages_of(map(sources.find, claim.cites)) for claim in report.claims}
    verdicts: dict[str, Verdict] = {}
    open_claims: defaultdict[tuple[Passage, ...], dict[str, str]] = defaultdict(dict)
    for claim in report.claims:
        decided = support.weigh(claim.text, rests_on[claim.id], claim.id)
        if not claim.cites:
            decided = Verdict(criterion=claim.id, reason="it cites nothing", status="not_applicable")
        if decided is not None:
            verdicts[claim.id] = decided
        else:
            open_claims[rests_on[claim.id]][claim.id] = claim.text
    inquiries: list[Inquiry] = []
    for passages, statements in open_claims.items():
        inquiries += support.inquiries(statements, passages, answer)
    candidates = conflicts(report.claims, report.body, state, sources)
    by_id = {claim.id: claim for claim in report.claims}
    inquiries += [inquiry(found, by_id[found.claim], answer, state) for found in candidates]
    rulings = yield tuple(inquiries)
    for asked, ruling in zip(inquiries, rulings, strict=True):
        shown = support.shown(asked.state)
        verdicts |= {verdict.criterion: anchored(verdict, shown) for verdict in ruling.verdicts}
    keys = [key for claim in report.claims for key in claim.cites]
    keys += [key for reference in report.references for key in reference.keys]
    return CitationAudit(
        claims=tuple(
            AuditedClaim(
                claim=claim,
                citations=tuple(_citation(sources.find(key)) for key in claim.cites),
                verdict=verdicts[claim.id],
            )
            for claim in report.claims
        ),
        references=tuple(_citation(sources.find(key)) for key in dict.fromkeys(keys)),
        conflicts=tuple(_settled(found, verdicts[f"{found.claim}/conflict"]) for found in candidates),
        cost=sum((ruling.cost for ruling in rulings), Cost()),
    )


def passages_of(sources: Iterable[Source]) -> tuple[Passage, ...]:
    """All that the trajectory shows of some sources, in its order."""
    return tuple(sorted({passage for source in sources for passage in source.passages}))


def _citation(source: Source) -> Citation:
    messages = dict.fromkeys(passage.message_id for passage in source.passages)
    return Citation(key=source.key, standing=source.standing, messages=tuple(messages))


def _settled(conflict: Conflict, verdict: Verdict) -> Conflict:
    known = {"met": True, "partial": True, "unmet": False}.get(verdict.status)
    return conflict.model_copy(update={"confirmed": known})
