"""Evidence chains: whether an answer hangs on supported facts, hop by hop.

CaRR (arXiv 2601.06021): a question is broken into single-hop facts over placeholders, `E0` the answer,
`E1`, `E2`, … the entities on the way. A fact counts if its placeholders are filled by names that the
answer says, the sources the answer cites state it, and supported facts connect it with `E0`; the score
is the share that counts. What differs: a fact nobody could judge is neither: the score is then a pair
of bounds. Code decides what it can before a judge is asked. Names must stand in the answer, so a model
that fills slots from memory fills none. The reward made of the score is training's matter.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coreact.judge.grounding.citations import passages_of
from coreact.judge.grounding.claims import split
from coreact.judge.grounding.inquiry import Inquiring, aask, anchored, ask
from coreact.judge.grounding.sources import Sources
from coreact.judge.grounding.support import Support
from coreact.judge.records import Cost, Verdict
from coreact.judge.runner import Judge
from coreact.judge.structured import StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric import Record, State
from coreact.rubric.words import stands_in

ANSWER = "E0"
"""The placeholder of the answer."""

MAX_SOURCES = 20
"""Cited sources that are read, as in CaRR."""

_SLOT = re.compile(r"\bE\d{1,3}\b")


class Fact(Record):
    """A single-hop statement over placeholders, such as `E0 was born in E1`."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)

    @property
    def slots(self) -> tuple[str, ...]:
        """Its placeholders, without repeats."""
        return tuple(dict.fromkeys(_SLOT.findall(self.text)))

    def filled(self, names: Mapping[str, str | None]) -> str | None:
        """The statement with names for placeholders, or None where one has no name."""
        if any(not names.get(slot) for slot in self.slots):
            return None
        return _SLOT.sub(lambda match: str(names[match.group()]), self.text)


class Chain(Record):
    """The facts that lead to an answer."""

    facts: tuple[Fact, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _leads_to_the_answer(self) -> Self:
        if len({fact.id for fact in self.facts}) != len(self.facts):
            raise ValueError("fact ids must be unique")
        if ANSWER not in self.slots:
            raise ValueError(f"no fact speaks of the answer, {ANSWER}")
        loose = [fact.id for fact in self.facts if not fact.slots]
        if loose:
            raise ValueError(f"nothing connects {loose} with the answer: they have no placeholder")
        return self

    @property
    def slots(self) -> tuple[str, ...]:
        """All placeholders, in order of appearance."""
        return tuple(dict.fromkeys(slot for fact in self.facts for slot in fact.slots))

    def reachable(self, supported: Collection[str]) -> frozenset[str]:
        """The supported facts that connect with the answer through shared placeholders.

        Args:
            supported: ids of facts.
        """
        holding: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            if fact.id in supported:
                for slot in fact.slots:
                    holding[slot].append(fact)
        found: set[str] = set()
        waiting = deque([ANSWER])
        while waiting:
            for fact in holding.pop(waiting.popleft(), ()):
                if fact.id not in found:
                    found.add(fact.id)
                    waiting += fact.slots
        return frozenset(found)


class CheckedFact(Record):
    """A fact and what became of it."""

    fact: Fact
    text: str | None
    """The statement with names; None where a placeholder has none."""
    verdict: Verdict
    """On whether the cited sources state it."""
    counts: bool | None
    """Whether it is supported and connected with the answer; None where an unknown one decides."""


class ChainAudit(Record):
    """How much of a chain holds."""

    facts: tuple[CheckedFact, ...]
    low: float = Field(ge=0, le=1)
    """Share of facts that count if nothing unknown is supported."""
    high: float = Field(ge=0, le=1)
    """Share of facts that count if everything unknown is supported."""
    cost: Cost = Cost()

    @property
    def score(self) -> float | None:
        """Share of all facts that count, in [0, 1], higher is better; None where the bounds differ."""
        return self.low if self.low == self.high else None


def audit_chain(
    chain: Chain, names: Mapping[str, str | None], answer: str, state: State, judge: Judge | None = None
) -> ChainAudit:
    """Check a chain of facts against what the answer cites.

    Args:
        chain: the facts.
        names: a name for each placeholder (see `fill`), None or absent where the answer gives none. One
            that the answer does not say counts as absent.
        answer: the answer with its citations.
        state: the trajectory whose observations the citations lead to.
        judge: decides whether the cited texts state a fact, where code cannot.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    return ask(_audit(chain, names, answer, state), judge)


async def aaudit_chain(
    chain: Chain, names: Mapping[str, str | None], answer: str, state: State, judge: Judge | None = None
) -> ChainAudit:
    """The same without blocking the event loop."""
    return await aask(_audit(chain, names, answer, state), judge)


def _audit(chain: Chain, names: Mapping[str, str | None], answer: str, state: State) -> Inquiring[ChainAudit]:
    sources, support = Sources(state), Support(state)
    report = split(answer, labels=sources.labels)
    cited = dict.fromkeys(key for claim in report.claims for key in claim.cites)
    found = [source for key in cited if (source := sources.find(key)).passages]
    passages = passages_of(found[:MAX_SOURCES])
    said = _said(names, report.body)
    texts = {fact.id: fact.filled(said) for fact in chain.facts}
    verdicts: dict[str, Verdict] = {}
    open_facts: dict[str, str] = {}
    for fact in chain.facts:
        text = texts[fact.id]
        if text is None:
            empty = ", ".join(slot for slot in fact.slots if slot not in said)
            reason = f"the answer names nothing for {empty}"
            verdicts[fact.id] = Verdict(criterion=fact.id, reason=reason, status="unmet")
        elif decided := support.weigh(text, passages, fact.id):
            verdicts[fact.id] = decided
        else:
            open_facts[fact.id] = text
    inquiries = support.inquiries(open_facts, passages, answer)
    rulings = yield tuple(inquiries)
    for asked, ruling in zip(inquiries, rulings, strict=True):
        shown = support.shown(asked.state)
        verdicts |= {verdict.criterion: anchored(verdict, shown) for verdict in ruling.verdicts}
    supported = {key for key, verdict in verdicts.items() if verdict.status == "met"}
    unknown = {key for key, verdict in verdicts.items() if verdict.status == "unknown"}
    surely, perhaps = chain.reachable(supported), chain.reachable(supported | unknown)
    checked = [
        CheckedFact(
            fact=fact,
            text=texts[fact.id],
            verdict=verdicts[fact.id],
            counts=True if fact.id in surely else None if fact.id in perhaps else False,
        )
        for fact in chain.facts
    ]
    return ChainAudit(
        facts=tuple(checked),
        low=len(surely) / len(chain.facts),
        high=len(perhaps) / len(chain.facts),
        cost=sum((ruling.cost for ruling in rulings), Cost()),
    )


def _said(names: Mapping[str, str | None], body: str) -> dict[str, str]:
    return {slot: name for slot, name in names.items() if name and stands_in(name, body)}


# --- filling the slots -----------------------------------------------------------------------


class Slot(BaseModel):
    """What an answer says a placeholder is."""

    model_config = ConfigDict(extra="forbid")
    placeholder: str
    name: str | None


class Slots(BaseModel):
    """One entry for each placeholder."""

    model_config = ConfigDict(extra="forbid")
    slots: list[Slot]


class Filling(NamedTuple):
    """Names for placeholders, and what finding them cost."""

    names: dict[str, str | None]
    """None where the answer names nothing, or the model named what the answer does not say."""
    cost: Cost


FILLING = f"""\
You read an answer, and statements with placeholders E0, E1, E2, … for things that the answer speaks of; \
E0 is what it gives as its result. Say for each placeholder which name the answer itself uses for it, \
copied as it stands there, or null where the answer does not explicitly name it. Do not use what you know \
from elsewhere, and do not correct the answer.

{UNTRUSTED}
Give exactly one entry for each placeholder."""
"""Instructions for the model that fills slots."""


def fill(chain: Chain, answer: str, question: str, model: StructuredModel) -> Filling:
    """Let a model say which names an answer uses for the placeholders of a chain.

    Args:
        chain: the facts.
        answer: the answer; its reference list is not shown.
        question: what was asked.
        model: the model.

    Raises:
        ReplyError: the model gave no usable reply.
        MissingExtraError: `sentencex` is not installed.
    """
    body = split(answer).body
    asked = model.ask(FILLING, _material(chain, body, question), Slots, check=_problem(chain))
    return Filling(_filled(chain, asked.value, body), asked.cost)


async def afill(chain: Chain, answer: str, question: str, model: StructuredModel) -> Filling:
    """The same without blocking the event loop."""
    body = split(answer).body
    asked = await model.aask(FILLING, _material(chain, body, question), Slots, check=_problem(chain))
    return Filling(_filled(chain, asked.value, body), asked.cost)


def _material(chain: Chain, body: str, question: str) -> str:
    listed = "\n".join(fact.text for fact in chain.facts)
    return fenced(
        [
            Section("q", "the question", question, ""),
            Section("p", "the answer", body, ""),
            Section("s", "the statements", listed, ""),
        ]
    )


def _problem(chain: Chain) -> Callable[[Slots], str | None]:
    wanted = sorted(chain.slots)

    def problem(reply: Slots) -> str | None:
        if sorted(slot.placeholder for slot in reply.slots) == wanted:
            return None
        return f"it must have exactly one entry for each of {', '.join(wanted)}"

    return problem


def _filled(chain: Chain, reply: Slots, body: str) -> dict[str, str | None]:
    said = _said({slot.placeholder: slot.name for slot in reply.slots}, body)
    return {slot: said.get(slot) for slot in chain.slots}
