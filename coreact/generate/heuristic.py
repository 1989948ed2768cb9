"""A rubric generator that needs no model: executable criteria read off the state.

For ONE next action it writes three to five criteria, each with a check, so judging costs nothing.
It knows no tool by name: what a tool is for comes from its metadata (`role`, `read_only`) or its
schema, and where neither says, only criteria that cannot do harm are written (contract, no loop).
It does not try to be clever about content: it names entities that were not searched yet and words
of the question that no observation has answered. The weights and the threshold are ours, chosen
so that a broken contract, a repeat, an off-topic search or an answer out of thin air fails, and a
missing detail alone does not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import islice

from coreact.generate.entities import OPENERS, entities
from coreact.generate.generator import Written
from coreact.judge import Cost
from coreact.rubric import (
    AnswerObserved,
    ArgumentContains,
    ArgumentsFitSchema,
    Criterion,
    DoesNotStop,
    HasProvenance,
    NotRepeat,
    Provenance,
    Rubric,
    State,
    Stops,
    ToolContract,
    UrlSeenUnvisited,
)
from coreact.rubric.words import fold, words

THRESHOLD = 0.8
"""Pass mark of the rubrics written here, in [0, 1]."""

MAX_TERMS = 3
"""Most entities, or missing words, that one criterion suggests."""

MAX_LEADS = 12
"""Most entities that a search may take instead of the suggested ones."""

_COVERED = 0.7  # coverage from which on an answer counts as resting on observations
_ENOUGH = 0.5  # coverage from which on an answer is suggested, where no name is left to search
_QUESTION_CHARS = 300  # of the question, repeated where the answer is due: small models lose it otherwise
_LOOK_BACK = 4  # observations before the last one whose names a search may still take
_WORD = 4  # letters from which on a word of the question carries meaning


class HeuristicGenerator:
    """Writes rubrics from the state alone. Stateless, pure, safe to share between threads."""

    id = "heuristic.1"

    def write(self, state: State) -> Written:
        """Write three to five executable criteria for the next action (fewer for an agent without tools)."""
        return Written(Rubric(criteria=tuple(self._criteria(state)), threshold=THRESHOLD), Cost())

    async def awrite(self, state: State) -> Written:
        """The same; there is nothing to wait for."""
        return self.write(state)

    def _criteria(self, state: State) -> list[Criterion]:
        if state.budget.left == 0:
            # A call cannot pass now, so what is asked of calls would only confuse.
            return [
                _answer(state, weight=0.5, veto=True),
                *(c.model_copy(update={"visibility": "judge_only"}) for c in _lawful(state)),
            ]
        search = next((t for t in state.tools if t.role == "search" and t.text_argument), None)
        criteria = _lawful(state)
        if search is not None:
            criteria += _search(state, search)
        criteria += _read(state)
        return criteria[:5]


# Made once: they are the same in every state.
_SOURCE = Provenance(source=HeuristicGenerator.id)
_CONTRACT = Criterion(
    id="contract",
    text="Fit the schema of the tool.",
    weight=0.2,
    kind="hard",
    check=ArgumentsFitSchema(),
    veto=True,
    provenance=_SOURCE,
)
_NEW = Criterion(
    id="new",
    text="Make a call that was not made before.",
    weight=0.2,
    kind="hard",
    check=NotRepeat(),
    veto=True,
    provenance=_SOURCE,
)


def _lawful(state: State) -> list[Criterion]:
    """What every call must keep."""
    return [_CONTRACT, _NEW] if state.tools else [_NEW]


def _answer(state: State, *, weight: float, veto: bool) -> Criterion:
    return Criterion(
        id="answer",
        text=f"Answer in a few words: {state.question[:_QUESTION_CHARS]}".rstrip(),
        weight=weight,
        kind="process",
        check=Stops(),
        veto=veto,
        provenance=_SOURCE,
    )


def _search(state: State, tool: ToolContract) -> list[Criterion]:
    argument = tool.text_argument or ""
    criteria = []
    terms = leads(state)
    missing = _missing_words(state) if state.steps else ()
    if terms:
        # The text suggests a whole query, since a small model takes it as it stands; the check takes any
        # name that was met and not searched, since a better model knows better which one leads on.
        query = " ".join([terms[0], *missing[:1]])
        criteria.append(
            Criterion(
                id="entity",
                text=f'Search for "{query}".',
                weight=0.3,
                kind="process",
                check=ArgumentContains(argument=argument, terms=terms),
                provenance=_SOURCE,
            )
        )
    enough = not terms and _coverage(state) >= _ENOUGH
    if enough:
        # Nothing is left to search by name: it may be time. Soft, since more may be needed.
        criteria.append(_answer(state, weight=0.1, veto=False))
    elif missing:
        criteria.append(
            Criterion(
                id="missing",
                text=f"Ask for what is still missing: {', '.join(missing)}.",
                weight=0.1,
                kind="process",
                check=ArgumentContains(argument=argument, terms=missing),
                provenance=_SOURCE,
            )
        )
    if terms and _coverage(state) < _COVERED:
        observed = any(step.succeeded for step in state.steps)
        criteria.append(
            Criterion(
                id="evidence",
                text="Do not answer before the observations cover the question.",
                weight=0.3,
                kind="process",
                check=AnswerObserved() if observed else DoesNotStop(),
                provenance=_SOURCE,
            )
        )
    return criteria


def _read(state: State) -> list[Criterion]:
    readers = [tool for tool in state.tools if tool.role == "read" and tool.text_argument]
    if not readers or not state.steps:
        return []
    argument = readers[0].text_argument or ""
    if state.urls_seen - state.urls_visited:
        return [
            Criterion(
                id="address",
                text="If you open an address, open one that was seen and not opened yet.",
                weight=0.1,
                kind="process",
                check=UrlSeenUnvisited(argument=argument),
                provenance=_SOURCE,
            )
        ]
    return [
        Criterion(
            id="provenance",
            text=f"If you open something, take `{argument}` from an observation.",
            weight=0.1,
            kind="process",
            check=HasProvenance(argument=argument),
            provenance=_SOURCE,
        )
    ]


def next_entities(state: State) -> tuple[str, ...]:
    """Names worth a search now: of the question first, then of what the last search brought up.

    Of the question's names the last comes first: in a nested question it is the one that hangs on
    nothing else ("the country that ISO lists as JAM").

    Returns:
        At most `MAX_TERMS` names that stand in no query so far; empty where there are none.
    """

    def is_new(name: str) -> bool:
        return f" {fold(name)} " not in state.searched

    asked = [name for name in reversed(entities(state.question)) if is_new(name)]
    left = [name for name in asked if not set(words(name)) <= state.covered]
    found = _brought_up(state, is_new)
    if any(step.succeeded for step in state.steps):
        # An acronym in a question is often a standard ("as ISO lists it"): once something is found,
        # it is no lead any more.
        left = [name for name in left if not name.isupper()]
    return tuple(dict.fromkeys([*left, *found]))[:MAX_TERMS]


def leads(state: State) -> tuple[str, ...]:
    """Names that a search may be for: the ones worth it, then all others in the last observations.

    No rule speaks for the others, but a search for one of them is no error that code could tell.

    Returns:
        At most `MAX_LEADS` names that stand in no query so far; empty where no rule has one to suggest.
    """
    suggested = next_entities(state)
    recent = state.steps[-1 : -2 - _LOOK_BACK : -1] if suggested else ()
    met = (step.observation.text for step in recent if step.succeeded and step.observation is not None)
    others = (name for text in met for name in entities(text) if f" {fold(name)} " not in state.searched)
    return tuple(islice(dict.fromkeys([*suggested, *others]), MAX_LEADS))


def _brought_up(state: State, is_new: Callable[[str], bool]) -> list[str]:
    """New names in the last observation, beside a name that was asked for, most often named first."""
    last = state.last_observation
    if last is None or last.failed:
        return []
    wanted = " ".join([state.question, *state.queries[-1:]])
    known = {word for name in entities(wanted) for word in words(name)}
    near: list[str] = []
    for line in last.text.splitlines():
        if not known or known & set(words(line)):
            near += [name for name in entities(line) if not set(words(name)) <= known and is_new(name)]
    text = last.folded.replace(" ", "  ")  # neighbours share no space, so that each is counted

    def count(name: str) -> int:
        return text.count(f" {fold(name).replace(' ', '  ')} ")

    return sorted(dict.fromkeys(near), key=count, reverse=True)


@lru_cache(maxsize=64)
def _asked(question: str) -> tuple[str, ...]:
    """The longer words of a question."""
    return tuple(w for w in dict.fromkeys(words(question)) if len(w) >= _WORD and w not in OPENERS)


def _missing_words(state: State) -> tuple[str, ...]:
    named = {word for name in entities(state.question) for word in words(name)}
    missing = (word for word in _asked(state.question) if word not in named and word not in state.covered)
    return tuple(islice(missing, MAX_TERMS))


def _coverage(state: State) -> float:
    """Share of the question's longer words that observations hold, in [0, 1]."""
    asked = _asked(state.question)
    return sum(word in state.covered for word in asked) / len(asked) if asked else 0.0
