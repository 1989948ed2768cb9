"""What a recorded run did with every document: cited it, read it, or only saw it.

A trajectory tells hard distractors from easy ones for nothing: what an agent opened and did not use was
worth a look, what it never opened was not. LongTraceRL builds training contexts of the three tiers. This
reads them off the record, by the rules by which citations are audited (`judge.grounding`); it fetches
nothing and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from coreact.judge.grounding.claims import split
from coreact.judge.grounding.marks import addresses
from coreact.judge.grounding.sources import Source, Sources, message_id, place
from coreact.rubric import Observation, State, Step, ToolCall
from coreact.rubric.words import canonical_url, fold, is_web_address
from coreact.trace.records import Trajectory

Tier = Literal["cited", "read", "seen"]
"""`cited`: the answer cites it; `read`: it was opened and is not cited; `seen`: it stood in what a search
showed and was neither opened nor cited."""


class Document(NamedTuple):
    """One document, passage or page of a run."""

    key: str
    """Its canonical address, or its label, folded."""
    tier: Tier
    source: Source
    """What the run shows of it: whether it was opened, and the passages. A cited one may be `invented`."""


def documents(trajectory: Trajectory) -> tuple[Document, ...]:
    """Every document of a run with its tier, in the order in which they appear.

    Documents are web addresses, and labels in brackets at the beginning of a line (`[id] Title: text`).
    Links on a page that was opened are none: nobody searched for them. The answer's reference list cites.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
    """
    state = _state(trajectory)
    sources = Sources(state)
    cited = {_key(name): name for name in _cited(_answer(trajectory), sources)}
    found: dict[str, Document] = {}
    for name in (*_shown(state, sources), *cited.values()):
        key = _key(name)
        if key in found:
            continue
        source = sources.find(name)
        if key in cited:
            tier: Tier = "cited"
        elif source.standing == "opened":
            tier = "read"
        else:
            tier = "seen"
        found[key] = Document(name, tier, source)
    return tuple(found.values())


def _state(trajectory: Trajectory) -> State:
    """The calls that ran and what they gave back, as the record has them."""
    last = trajectory.steps[-1].index if trajectory.steps else 0
    state = State.start(trajectory.run.question, tools=trajectory.tools(last))
    taken = []
    for step in trajectory.steps:
        actions = () if step.chosen is None else step.chosen.actions
        calls = {action.call.id: action.call for action in actions if action.call is not None}
        for seen in trajectory.observed(step.index):
            if seen.blocked:  # its text is our feedback
                continue
            call = calls.get(seen.call_id) or ToolCall(name=seen.tool, id=seen.call_id)
            observation = Observation(text=seen.text, failed=seen.failed)
            taken.append(Step(call=call, observation=observation))
    return state.after(*taken)


def _answer(trajectory: Trajectory) -> str:
    if trajectory.end is not None and trajectory.end.answer:
        return trajectory.end.answer
    chosen = trajectory.steps[-1].chosen if trajectory.steps else None
    answers = [action.answer for action in (() if chosen is None else chosen.actions) if action.answer]
    return answers[-1] if answers else ""


def _cited(answer: str, sources: Sources) -> Iterator[str]:
    report = split(answer, labels=sources.labels)
    for claim in report.claims:
        yield from claim.cites
    for reference in report.references:
        yield from reference.keys


def _shown(state: State, sources: Sources) -> Iterator[str]:
    """What was opened by name, and what searches showed, step by step."""
    ids = {fold(name) for at, step in enumerate(state.steps) for name in (step.call.id, message_id(step, at))}
    labels = sources.labels - ids
    for step in state.steps:
        tool = state.tool(step.call.name)
        role = None if tool is None else tool.role
        if role != "search" and step.succeeded:
            for text in step.call.texts:
                if is_web_address(text):
                    yield canonical_url(text)
                elif fold(text) in labels or role == "read":
                    yield fold(text)
        if role != "read" and step.succeeded and step.observation is not None:
            yield from _listed(step.observation.text, labels)


def _listed(text: str, labels: frozenset[str]) -> Iterator[str]:
    """Labels and addresses in a list of results, in order."""
    found = [*addresses(text)]
    for at, line in _lines(text):
        entry = line.lstrip(" \t-*•")
        label, closed, _ = entry[1:].partition("]")
        if entry.startswith("[") and closed and fold(label) in labels:
            found.append((at, fold(label)))
    yield from (name for _, name in sorted(found))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in text.splitlines(keepends=True):
        yield at, line
        at += len(line)


def _key(name: str) -> str:
    return place(name) if is_web_address(name) else fold(name)
