"""Atomic facts, each tied to the span of a stored text that states it.

A fact is worth something only if one can look up where it stands: its id names the passage and the span
in it. Two ways to get facts: every sentence of a passage (no model), or statements that a model takes out
of it, each with a quote. Code looks for the quote and for the numbers and names of the statement; what does
not stand in the passage is no fact. What the user demands is a fact as well, of the passage `question`.

Every fact has the turn from which on it is known: 0 the question, k the observation of step k. Whether a
fact is true, and whether it helps, is not decided here.

Sources: Automated Rubrics for Medical Dialogue (retrieve, atomic facts, merge with user constraints),
Search-Gen-V (arXiv 2510.14660; passages to nuggets). Different: the span is checked by code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict, Field

from coreact.generate.prompt import template
from coreact.judge.asking import Asking, Request, aserve, record_of, serve
from coreact.judge.failure import Throttle
from coreact.judge.grounding.claims import sentences
from coreact.judge.grounding.sources import message_id
from coreact.judge.grounding.values import Held, names, numbers
from coreact.judge.quotes import locate, substantial
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, Output, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, excerpt, fenced
from coreact.rubric.remarks import Remark
from coreact.rubric.state import Record, State
from coreact.rubric.words import words

QUESTION = "question"
"""Id of the passage that is the user's question."""

MAX_STATEMENT_CHARS = 300
"""Longest statement of a fact: it goes into prompts and becomes a criterion."""

_LEAST = 3  # words of a sentence that states something
_AT_ONCE = 8  # passages in one call of a model
_PASSAGE_CHARS = 4_000


class Readable(Protocol):
    """Any text with an id: a passage of a world, a hit of a retriever."""

    @property
    def id(self) -> str:
        """Unique among the texts of one run."""

    @property
    def text(self) -> str:
        """The text itself. Untrusted."""


class Passage(NamedTuple):
    """A text that facts are taken from, with the turn from which on it is known."""

    id: str
    text: str
    turn: int = 0
    """0: the question; k: the observation of step k, or what was looked up after it."""


class Fact(Record):
    """One statement, and the span of the passage that says it."""

    id: str = Field(min_length=1)
    """`PASSAGE#START-END`; a second statement on the same span ends in `.2`."""
    text: str = Field(min_length=1, max_length=MAX_STATEMENT_CHARS)
    """The statement on one line."""
    passage: str
    """Id of the passage; `question` for what the user demands."""
    start: int = Field(ge=0)
    """Where the words that state it begin in the passage, in characters."""
    end: int = Field(ge=0)
    """Where they end, exclusive."""
    turn: int = Field(default=0, ge=0)
    """From which turn on it is known: 0 the question, k the observation of step k."""


class Extracted(NamedTuple):
    """The facts of some passages, what finding them cost, and what was left out."""

    facts: tuple[Fact, ...]
    cost: Cost = Cost()
    remarks: tuple[Remark, ...] = ()


def passages_of(state: State) -> tuple[Passage, ...]:
    """The question and what was observed so far, in order; error messages state nothing."""
    found = [Passage(QUESTION, state.question, 0)]
    for index, step in enumerate(state.steps):
        if step.succeeded and step.observation is not None:
            found.append(Passage(message_id(step, index), step.observation.text, index + 1))
    return tuple(found)


def facts_of(passages: Iterable[Passage]) -> tuple[Fact, ...]:
    """Every sentence of the passages as a fact, without a model; time grows linearly.

    Questions and what is too short or too long to state one thing are left out, but for what the user says.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    number = _Numbering()
    found = []
    for passage in passages:
        for start, end in _sentences(passage.text):
            written = passage.text[start:end]
            start, end = start + len(written) - len(written.lstrip()), start + len(written.rstrip())
            text = " ".join(written.split())
            if passage.id != QUESTION and (text.endswith(("?", "\uff1f")) or len(words(text)) < _LEAST):
                continue
            if words(text) and len(text) <= MAX_STATEMENT_CHARS:
                found.append(number.fact(text, passage, start, end))
    return tuple(found)


def span_of(fact: Fact, passages: Iterable[Readable]) -> str | None:
    """The words that state a fact, or None where its passage is not there or is shorter than it was."""
    for passage in passages:
        if passage.id == fact.passage:
            return passage.text[fact.start : fact.end] or None
    return None


def known_by(facts: Iterable[Fact], turn: int) -> tuple[Fact, ...]:
    """The facts that are known when `turn` steps have been taken."""
    return tuple(fact for fact in facts if fact.turn <= turn)


def nearest(facts: Sequence[Fact], question: str, most: int) -> tuple[Fact, ...]:
    """At most `most` facts, those that share most words with the question, in the order given.

    What the user says comes before all others, and of equals the newer one.
    """
    asked = frozenset(words(question))

    def rank(at: int) -> tuple[bool, float, int]:
        said = frozenset(words(facts[at].text))
        return facts[at].passage != QUESTION, -len(asked & said) / (len(said) + 5), -at

    chosen = sorted(range(len(facts)), key=rank)[:most]
    return tuple(facts[at] for at in sorted(chosen))


@lru_cache(maxsize=256)  # a run asks about its old observations again at every step
def _sentences(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(sentences(text))


class _Numbering:
    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def fact(self, text: str, passage: Passage, start: int, end: int) -> Fact:
        place = f"{passage.id}#{start}-{end}"
        self._seen[place] += 1
        again = self._seen[place]
        return Fact(
            id=place if again == 1 else f"{place}.{again}",
            text=text,
            passage=passage.id,
            start=start,
            end=end,
            turn=passage.turn,
        )


# --- by model --------------------------------------------------------------------------------


class Statement(BaseModel):
    """One fact of a passage."""

    model_config = ConfigDict(extra="forbid")
    passage: str
    quote: str
    statement: str


class Statements(BaseModel):
    """The facts of some passages."""

    model_config = ConfigDict(extra="forbid")
    facts: list[Statement]


class FactExtractor:
    """A model takes passages apart into atomic facts; code keeps those that stand there.

    Safe to share between threads and event loops.

    Args:
        model: the chat model.
        output, attempts, timeout, throttle: see `StructuredModel`.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        output: Output = "auto",
        attempts: int = 3,
        timeout: float | None = 120.0,
        throttle: Throttle | None = None,
    ) -> None:
        self._asker = StructuredModel(
            model, output=output, attempts=attempts, timeout=timeout, throttle=throttle
        )
        self.id = f"facts:{self._asker.name}@{template('grounded_facts').version}"
        """Name of the model and version of the prompt."""

    @property
    def model_name(self) -> str:
        """The model's name, as its provider knows it."""
        return self._asker.name

    def extract(self, passages: Sequence[Passage], question: str) -> Extracted:
        """Take passages apart, blocking. What the user says is taken sentence by sentence, without the model.

        Args:
            passages: the texts, with unique ids.
            question: what the facts should bear on.

        Raises:
            ReplyError: the model gave no usable reply.
            MissingExtraError: `sentencex` is not installed.
        """
        return serve(_extracting(self._asker, passages, question))

    async def aextract(self, passages: Sequence[Passage], question: str) -> Extracted:
        """The same, without blocking the event loop."""
        return await aserve(_extracting(self._asker, passages, question))


def _extracting(asker: StructuredModel, passages: Sequence[Passage], question: str) -> Asking[Extracted]:
    facts = list(facts_of(passage for passage in passages if passage.id == QUESTION))
    read = [passage for passage in passages if passage.id != QUESTION and words(passage.text)]
    cost, remarks = Cost(), list[Remark]()
    for at in range(0, len(read), _AT_ONCE):
        some = read[at : at + _AT_ONCE]
        reply: Asked[Statements] = yield _request(asker, some, question)
        cost += reply.cost
        number = _Numbering()
        held = [Held((passage.text, question)) for passage in some]
        for one in reply.value.facts:
            where = _place(one.passage, len(some))
            if where is None:
                continue  # cannot be: the check asked again
            problem = _unsupported(one, some[where], held[where])
            if problem is not None:
                remarks.append(Remark.about(one.statement, "dropped", problem, "unsupported"))
                continue
            span = locate(one.quote, some[where].text)
            assert span is not None  # noqa: S101 - `_unsupported` looked
            facts.append(number.fact(" ".join(one.statement.split()), some[where], *span))
    return Extracted(tuple(facts), cost, tuple(remarks))


def _request(asker: StructuredModel, passages: Sequence[Passage], question: str) -> Request:
    wanted = frozenset(words(question))
    shown = [Section("q", "the question", question, QUESTION)]
    shown += [
        Section(_label(at), f"passage {at + 1}", excerpt(passage.text, _PASSAGE_CHARS, wanted), passage.id)
        for at, passage in enumerate(passages)
    ]
    return record_of(
        asker,
        instructions=f"{template('grounded_facts').text}\n\n{UNTRUSTED}",
        material=f"{fenced(shown)}\n\nWrite the facts of the passages now.",
        reply=Statements,
        check=_known_labels(len(passages)),
    )


def _label(at: int) -> str:
    # Labels are ours: the id of a passage comes from outside.
    return f"d{at + 1}"


def _place(label: str, count: int) -> int | None:
    return next((at for at in range(count) if _label(at) == label.strip("[] ")), None)


def _known_labels(count: int) -> Callable[[Any], str | None]:
    def check(reply: Statements) -> str | None:
        if all(_place(one.passage, count) is not None for one in reply.facts):
            return None
        return f"passage must be one of {', '.join(_label(at) for at in range(count))}"

    return check


def _unsupported(one: Statement, passage: Passage, held: Held) -> str | None:
    statement = " ".join(one.statement.split())
    if not words(statement) or len(statement) > MAX_STATEMENT_CHARS:
        return f"it does not say one thing in {MAX_STATEMENT_CHARS} characters"
    if not substantial(one.quote) or locate(one.quote, passage.text) is None:
        return "its quote does not stand in the passage"
    strange = next((number.text for number in numbers(statement) if not held.number(number)), None)
    strange = strange or next((name.text for name in names(statement) if not held.name(name)), None)
    return f"its passage does not hold {strange[:40]!r}" if strange else None
