"""A world of fan-out questions: one question that takes many lookups, and the plan that a person made of it.

It measures planning, fanning out and merging, not search: the evidence is a page's id and title, without the
page. `plan_score` compares a plan with the human decomposition, `loose_accuracy` an answer (a text, a list or
a table) with the gold answer. `notes` makes one passage of each sub-question and its answer, so that the same
search tools and corpus run over them; those passages are the annotators' words, not the pages'.

Source: FanOutQA (arXiv 2402.14116). Ours differs: its loose accuracy lemmatises with a language model of
English and repairs encodings, ours folds text as `normalise_answer` does (case, diacritics, articles,
punctuation), so a plural that the gold answer has in the singular is missed. How a plan is scored is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from coreact.errors import WorldError
from coreact.worlds._words import query_words
from coreact.worlds.lines import Line, read_lines
from coreact.worlds.records import Frozen, Passage, records_version
from coreact.worlds.scoring import normalise_answer, stands_in

ALIKE = 0.5
"""Share of common words, in (0, 1], from which on two sub-questions ask the same. Ours: sub-questions that
differ in the name they ask about share about a third."""

_MAX_DEPTH = 20


class Page(Frozen):
    """Where an answer stands: a Wikipedia page in one revision."""

    id: int
    title: str
    revision: int | None = None
    url: str = ""


class SubQuestion(Frozen):
    """One step of a decomposition."""

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    answer: JsonValue
    depends_on: tuple[str, ...] = ()
    """Ids of the steps whose answers it needs."""
    page: Page | None = None
    """Where its answer stands; None where it is decomposed further."""
    parts: tuple[SubQuestion, ...] = ()

    def asks_like(self, other: SubQuestion) -> bool:
        """Whether it has the same question and answer, whatever it waits for and on which page it stands."""
        return (self.question, self.answer) == (other.question, other.answer)

    def steps(self) -> Iterator[SubQuestion]:
        """This step and all that it is decomposed into, in order."""
        yield self
        for part in self.parts:
            yield from part.steps()

    def leaves(self) -> Iterator[SubQuestion]:
        """The steps that are not decomposed further, in order."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


class FanOutQuestion(Frozen):
    """A question and the plan that a person made of it."""

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    answer: JsonValue
    """A text, a number, yes or no (true, false), a list, or an object by name."""
    parts: tuple[SubQuestion, ...] = Field(min_length=1)
    categories: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _steps_hold_together(self) -> Self:
        steps = [step for part in self.parts for step in part.steps()]
        known = {step.id for step in steps}
        if len(known) != len(steps):
            raise ValueError("two steps of the decomposition have the same id")
        for step in steps:
            if unknown := sorted(set(step.depends_on) - known):
                raise ValueError(f"step {step.id!r} depends on the unknown step {unknown[0]!r}")
        return self

    @property
    def leaves(self) -> tuple[SubQuestion, ...]:
        """The lookups that the plan comes down to, in order."""
        return tuple(leaf for part in self.parts for leaf in part.leaves())

    @property
    def pages(self) -> frozenset[Page]:
        """The evidence: the gold of a plan."""
        return frozenset(leaf.page for leaf in self.leaves if leaf.page is not None)

    @property
    def supporting_ids(self) -> tuple[str, ...]:
        """Ids of its passages in `notes`, so that `gold_share` measures it."""
        return tuple(dict.fromkeys(leaf.id for leaf in self.leaves))


class FanOutWorld(Frozen):
    """Fan-out questions."""

    name: str = Field(min_length=1)
    """For people; no part of the version."""
    questions: tuple[FanOutQuestion, ...]

    @property
    def version(self) -> str:
        """`sha256:…` of the questions."""
        return records_version(self.questions)

    @model_validator(mode="after")
    def _ids_hold_together(self) -> Self:
        ids = [question.id for question in self.questions]
        if len(set(ids)) != len(ids):
            raise ValueError("a question id occurs twice")
        lookups: dict[str, SubQuestion] = {}
        for question in self.questions:
            for leaf in question.leaves:
                if not leaf.asks_like(lookups.setdefault(leaf.id, leaf)):
                    raise ValueError(f"two lookups have the id {leaf.id!r}: {question.id!r} has the second")
        return self

    def notes(self) -> tuple[Passage, ...]:
        """One passage for each lookup: the sub-question with its answer, under the title of its page."""
        found: dict[str, Passage] = {}
        for question in self.questions:
            for leaf in question.leaves:
                title = leaf.page.title if leaf.page is not None else ""
                said = ", ".join(answer_strings(leaf.answer)) or "unknown"
                found.setdefault(leaf.id, Passage(id=leaf.id, title=title, text=f"{leaf.question} {said}"))
        return tuple(found.values())


class PlanScore(NamedTuple):
    """How a plan compares with the human one, each in [0, 1], higher is better; None: cannot be told."""

    pages: float | None
    """Share of the evidence pages that the plan names; None where plans name none, or there are none."""
    recall: float
    """Share of the human lookups that a step of the plan asks for in about the same words."""
    precision: float | None
    """Share of the plan's steps that ask for a human lookup; None for an empty plan."""


class LooseAccuracy(NamedTuple):
    """How much of a gold answer stands in a text."""

    score: float
    """Share of the gold strings found, in [0, 1], higher is better."""
    missing: tuple[str, ...]
    """Those that were not."""

    @property
    def strict(self) -> bool:
        """Whether all of them were found."""
        return not self.missing


def plan_score(
    steps: Sequence[str], question: FanOutQuestion, *, pages: Sequence[str | int] | None = None
) -> PlanScore:
    """Score a plan against the human decomposition.

    Steps and human lookups are paired one to one, the most alike first (Jaccard of their words without stop
    words, ties in order), down to `ALIKE`.

    Args:
        steps: the plan's sub-questions.
        question: what was planned.
        pages: ids or titles of the pages that the plan would open; None where plans name no pages.
    """
    lookups = [frozenset(query_words(leaf.question)) for leaf in question.leaves]
    planned = [frozenset(query_words(step)) for step in steps]
    alike = sorted(
        (
            (-len(mine & theirs) / len(mine | theirs), at, to)
            for (at, mine), (to, theirs) in product(enumerate(planned), enumerate(lookups))
            if mine and len(mine & theirs) >= ALIKE * len(mine | theirs)
        )
    )
    used: set[int] = set()
    met: set[int] = set()
    for _, at, to in alike:
        if at not in used and to not in met:
            used.add(at)
            met.add(to)
    return PlanScore(
        pages=None if pages is None else _pages_named(pages, question),
        recall=len(met) / len(lookups),
        precision=len(used) / len(steps) if steps else None,
    )


def _pages_named(pages: Sequence[str | int], question: FanOutQuestion) -> float | None:
    ids = {page for page in pages if isinstance(page, int)}
    titles = {normalise_answer(page) for page in pages if isinstance(page, str)}
    gold = question.pages
    named = [page for page in gold if page.id in ids or normalise_answer(page.title) in titles]
    return len(named) / len(gold) if gold else None


def answer_strings(answer: JsonValue) -> tuple[str, ...]:
    """The texts that a gold answer is made of: names and values of objects, items of lists; true is `yes`.

    Blank ones are left out, as an empty cell of a table: they stand in no text.
    """
    if isinstance(answer, dict):
        pairs = answer.items()
        return tuple(text for key, value in pairs for text in (*answer_strings(key), *answer_strings(value)))
    if isinstance(answer, list):
        return tuple(text for item in answer for text in answer_strings(item))
    if isinstance(answer, bool):
        return ("yes" if answer else "no",)
    said = "" if answer is None else str(answer)
    return (said,) if said.strip() else ()


def loose_accuracy(answer: str, gold: JsonValue) -> LooseAccuracy:
    """The share of the gold answer's strings that stand in an answer, as whole words after normalisation.

    Names and values of an object count alike, and are not asked to stand side by side: an answer that swaps
    two values is not found out. That is FanOutQA's measure; read it as a ceiling.

    Raises:
        ValueError: the gold answer has no text in it.
    """
    strings = answer_strings(gold)
    if not strings:
        raise ValueError("the gold answer is empty")
    missing = tuple(text for text in strings if not stands_in(text, answer))
    return LooseAccuracy(1 - len(missing) / len(strings), missing)


def load_fanout(path: Path) -> FanOutWorld:
    """Fan-out questions from a file of JSON lines, named after its folder.

    Each line is an object with `id`, `question`, `answer` and `decomposition`, a list of objects with `id`,
    `question`, `answer`, and optionally `depends_on`, `evidence` (`pageid`, `title`, `revid`, `url`) and a
    `decomposition` of their own; optionally `categories`.

    Raises:
        WorldError: the file is missing or empty, or a line is not JSON, lacks a field, repeats an id, or has
            a decomposition that does not fit (a step id that occurs twice, a step that depends on an unknown
            one); with path and line.
    """
    path = Path(path)
    questions: dict[str, FanOutQuestion] = {}
    lookups: dict[str, SubQuestion] = {}
    for line in read_lines(path, remedy="Fan-out questions are one file of JSON lines."):
        fields = line.required("id", "question", "answer", "decomposition")
        steps = fields.pop("decomposition")
        if not answer_strings(fields["answer"]):
            raise line.error("the field 'answer' does not fit: it is empty", remedy="Give the gold answer.")
        try:
            question = FanOutQuestion(
                **fields,
                parts=_parts(line, steps, depth=1),
                categories=line.fields.get("categories") or (),
            )
        except ValidationError as failure:
            raise line.misfit(failure) from failure
        line.refuse_repeat("question", question.id, questions)
        for leaf in question.leaves:
            if not leaf.asks_like(lookups.setdefault(leaf.id, leaf)):
                raise line.error(
                    f"an earlier line has another lookup with the id {leaf.id!r}",
                    remedy="Give every lookup an id of its own.",
                )
        questions[question.id] = question
    if not questions:
        raise WorldError(f"{path} has no questions.", path=path, remedy="Write one JSON object on each line.")
    name = path.resolve().parent.name or "fanout"
    return FanOutWorld(name=name, questions=tuple(questions.values()))


def _parts(line: Line, steps: Any, *, depth: int) -> tuple[SubQuestion, ...]:
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps) or depth > _MAX_DEPTH:
        raise line.error(
            "the field 'decomposition' does not fit: a list of objects is needed, not nested too deep",
            remedy="Correct it.",
        )
    return tuple(_part(line, step, depth) for step in steps)


def _part(line: Line, step: dict[str, Any], depth: int) -> SubQuestion:
    place = line._replace(fields=step)
    fields = place.required("id", "question", "answer")
    evidence = step.get("evidence")
    try:
        page = None
        if evidence is not None:
            said = place._replace(fields=evidence if isinstance(evidence, dict) else {})
            named = said.required("pageid", "title")
            page = Page(
                id=named["pageid"],
                title=named["title"],
                revision=evidence.get("revid"),
                url=evidence.get("url") or "",
            )
        return SubQuestion(
            **fields,
            depends_on=step.get("depends_on") or (),
            page=page,
            parts=_parts(line, step.get("decomposition") or [], depth=depth + 1),
        )
    except ValidationError as failure:
        raise place.misfit(failure) from failure
