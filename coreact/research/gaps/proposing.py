"""What is still to be found out, as queries: from question, plan, facts and criteria, without a model.

A node is something to find out: an open sub-question, a fact of an evidence chain whose slots are not
filled, an unmet criterion that names something, or the question itself where there is no plan. A node that an
observed line speaks of (see `coreact.judge.sufficiency.evidence`) is resolved and asks for nothing; a whole
question only where one line holds all of its content words, since a part of them is often one hop of several.
An open node asks for itself in its own words, for those of its names that never came back, and for the names
that came back beside its words and are not its own: the bridges over which a multi-hop question goes on. A
query that was made is not proposed again.

A bridge query holds several names and all content words of the node: on half of the questions of a HotpotQA
and MuSiQue sample that found more than one name alone, or than leaving out the words that were observed
(the other half is measured, see `tests/bench/retrieval.py`). Names come from untrusted observations; here
they only ever become words of a query.

Sources: Super Research (deepen where the plan is uncertain), SIM-RAG (a rejected draft leads to a new query).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from coreact.generate.entities import entities
from coreact.judge.grounding.chain import Chain
from coreact.judge.grounding.values import names as names_in
from coreact.judge.sufficiency.evidence import FUNCTION_WORDS, Evidence, Line, content_words
from coreact.rubric import Record, State
from coreact.rubric.words import fold, similarity, words

Kind = Literal["sub_question", "fact", "question", "criterion"]
"""What a node is. `fact`: of an evidence chain; `question`: the whole, where there is no plan."""

Way = Literal["words", "names", "bridge"]
"""How a query asks for a node: by its own words, by its unseen names, by names found beside its words."""

MOST_NAMES = 5
"""Names in one bridge query."""

SAME = 0.95
"""Jaccard similarity of the words from which on two queries are the same."""

_WEIGHT: dict[Kind, float] = {"sub_question": 1.0, "fact": 0.9, "question": 0.8, "criterion": 0.6}
_LOWER = {"words": 1.0, "names": 0.9, "bridge": 0.8}
_NEWER = 0.3  # how much less the second hit of a search says than the first, and so on
_SLOT = re.compile(r"\bE\d{1,3}\b")
_LEAD = re.compile(r"^\[[^\]]{1,80}\]\s*")
_TITLE = re.compile(r"^([^:]{1,120}):\s")
_MOST_WORDS = 40


class Gap(Record):
    """A query, and the node that it is for."""

    kind: Kind
    node: str
    """What is to be found out."""
    way: Way
    query: str
    score: float
    """Rank among the gaps of a state, in (0, 1], higher first; it means nothing elsewhere."""


class _Node(NamedTuple):
    kind: Kind
    text: str
    """With names for slots; slots that nothing fills are left out."""


def gaps(
    state: State,
    *,
    plan: Sequence[str] = (),
    chain: Chain | None = None,
    names: Mapping[str, str | None] | None = None,
    unmet: Sequence[str] = (),
) -> tuple[Gap, ...]:
    """Queries for what is still open, best first; empty where nothing is.

    Args:
        state: the trajectory so far.
        plan: sub-questions, in order.
        chain: facts over placeholders that lead to the answer.
        names: what is known to fill the placeholders.
        unmet: texts of criteria that the draft or the last step leaves unmet. One that names nothing asks
            for nothing: "cite your sources" is no query.
    """
    evidence = Evidence(state)
    made = [frozenset(words(query)) for query in state.queries]
    found: list[Gap] = []
    for at, node in enumerate(_open(state, evidence, plan, chain, names or {}, unmet)):
        for way, query in _ways(node, evidence, state.searched):
            asked = frozenset(words(query))
            if not asked or any(similarity(asked, before) >= SAME for before in made):
                continue
            made.append(asked)
            score = _WEIGHT[node.kind] * _LOWER[way] / (1 + 0.01 * at)
            found.append(Gap(kind=node.kind, node=node.text, way=way, query=query, score=score))
    return tuple(sorted(found, key=lambda gap: -gap.score))


def _open(
    state: State,
    evidence: Evidence,
    plan: Sequence[str],
    chain: Chain | None,
    names: Mapping[str, str | None],
    unmet: Sequence[str],
) -> Iterator[_Node]:
    for part in plan:
        if part.strip() and not evidence.resolves(part):
            yield _Node("sub_question", part)
    for fact in chain.facts if chain is not None else ():
        known = {slot: name for slot in fact.slots if (name := names.get(slot))}
        text = _filled(fact.text, known)
        if not known and not entities(text):
            continue  # nothing to search by until another fact fills a slot
        if len(known) < len(fact.slots) or not evidence.resolves(text):
            yield _Node("fact", text)
    if (
        not plan
        and chain is None
        and state.question.strip()
        and not evidence.resolves(state.question, share=1.0)
    ):
        yield _Node("question", state.question)
    for text in unmet:
        if _missing(text, evidence):
            yield _Node("criterion", text)


def _missing(criterion: str, evidence: Evidence) -> list[str]:
    """Names in a criterion that were not observed; a lone first word of a sentence may be none."""
    sure = {fold(name.text) for name in names_in(criterion)}
    return [
        name
        for name in entities(criterion)
        if (" " in name or fold(name) in sure or f'"{name}"' in criterion) and not evidence.holding(name)
    ]


def _filled(text: str, known: Mapping[str, str]) -> str:
    return " ".join(_SLOT.sub(lambda slot: known.get(slot.group(), " "), text).split())


def _ways(node: _Node, evidence: Evidence, searched: str) -> Iterator[tuple[Way, str]]:
    own = " ".join(content_words(node.text)[:_MOST_WORDS])
    if node.kind == "criterion":
        yield "names", " ".join(_missing(node.text, evidence))
        return
    yield "words", node.text if node.kind == "question" else own
    named = entities(node.text)
    unseen = [name for name in named if not evidence.holding(name)]
    if unseen and len(unseen) < len(named):
        rest = set(words(" ".join(named)))
        others = [word for word in content_words(node.text)[:_MOST_WORDS] if word not in rest]
        yield "names", " ".join([*unseen, *others])
    beside = bridges(node.text, evidence.lines)
    over = [name for name in beside if f" {fold(name)} " not in searched][:MOST_NAMES]
    if over:
        yield "bridge", " ".join([*over, own])


def bridges(text: str, lines: Sequence[Line]) -> tuple[str, ...]:
    """Names that stand beside a text's words in what was observed and are not its own, best first.

    A name counts as much as its line holds of the text's content words, as much as it stands high among the
    hits, and as much of it as the text does not say itself. What a line is about (`Title: …`) was found
    already and is no bridge.

    Args:
        text: what is to be found out.
        lines: observed lines, oldest first.
    """
    asked, wanted = frozenset(words(text)), frozenset(content_words(text))
    best: dict[str, tuple[float, str]] = {}
    titles = {fold(title) for line in lines if (title := _title(line))}
    for place, line in enumerate(lines):
        near = len(wanted & line.words) / len(wanted) if wanted else 0.0
        if not near:
            continue
        for name in entities(_LEAD.sub("", line.text)):
            key = fold(name)
            own = frozenset(key.split()) - FUNCTION_WORDS
            if not own or own <= asked or key in titles:
                continue
            score = near / (1 + _NEWER * place) * len(own - asked) / len(own)
            if score > best.get(key, (0.0, ""))[0]:
                best[key] = (score, name)
    return tuple(name for _, name in sorted(best.values(), key=lambda scored: -scored[0]))


def _title(line: Line) -> str:
    found = _TITLE.match(_LEAD.sub("", line.text))
    return found.group(1) if found else ""
