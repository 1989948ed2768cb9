"""Contrastive rubric generation: why the better action is better, as rules that outlive the pair.

After OpenRubrics (arXiv 2510.07743). The writer is told which of two candidates is better. It lists what
the question demands in so many words, which gives hard rules; then what the two candidates do differently;
then what each difference stands for, which gives principles.

What differs from the paper: the reply is a record and every claim in it is looked up. A hard rule quotes the
demand, a difference quotes the candidates, a principle names its difference; what cannot be found is dropped.
The paper leaves it to the writer's own final look that no principle names a candidate, a place, an entity or
a number; here code looks. The paper judges a step later whether the label is recovered, and so do we
(`consistency`).
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel

from coreact.generate.admission import Proposed
from coreact.generate.contrastive.contrast import Contrast, shown
from coreact.generate.contrastive.writer import Draft, Reading, Reply, identified, question
from coreact.generate.generator import Written
from coreact.generate.prompt import Exemplar, trajectory
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.quotes import find_all
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.judge.transcript import Section
from coreact.rubric import State
from coreact.rubric.text import render_rubric

MOST = 8
"""Criteria of one contrast."""


class Demand(Reply):
    """What the question demands in so many words."""

    quote: str
    """Verbatim from the question or the given text."""
    rule: str


class Difference(Reply):
    """One thing in which the candidates differ."""

    quote_x: str
    """Verbatim from candidate x, empty where it lacks the thing."""
    quote_y: str
    """Verbatim from candidate y, empty where it lacks the thing."""
    difference: str


class Principle(Reply):
    """What a difference stands for, beyond this pair."""

    difference: int
    """Number of the difference, from 1 on."""
    rule: str


class ContrastReply(Reply):
    """What the writer writes, in the order in which it should be thought."""

    demands: list[Demand]
    differences: list[Difference]
    principles: list[Principle]


class CrgGenerator:
    """Writes criteria from a labelled contrast. Safe to share between threads and event loops.

    Args:
        model: the chat model that writes. It should not be the judge's.
        examples: rubrics of other questions to write by; none: zero-shot.
        output: see `StructuredModel`.
        attempts: see `StructuredModel`.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        examples: Sequence[Exemplar] = (),
        output: Output = "auto",
        attempts: int = 3,
    ) -> None:
        self._model = StructuredModel(model, output=output, attempts=attempts)
        self._examples = tuple(examples)
        shots = [[example.question, example.rubric.lock] for example in self._examples]
        self.id = identified("crg", self._model, ["crg"], shots)

    @property
    def model_name(self) -> str:
        """The model's name, as its provider knows it."""
        return self._model.name

    def write(self, contrast: Contrast) -> Written:
        """Write the criteria, blocking.

        Raises:
            NoRubricError: the model failed, or wrote nothing that may be used; it has cost and remarks.
        """
        return serve(self._writing(contrast))

    async def awrite(self, contrast: Contrast) -> Written:
        """The same, without blocking the event loop."""
        return await aserve(self._writing(contrast))

    def _writing(self, contrast: Contrast) -> Asking[Written]:
        reading = Reading(self.id, contrast.state, contrast.sides, most=MOST)
        sections = (*trajectory(contrast.state), *shown(contrast.sides), *self._shots())
        task = f"It is known that candidate `{contrast.label}` is the better one. Write the criteria now."
        try:
            asked: Asked[ContrastReply] = yield question(
                self._model,
                "crg",
                sections,
                task,
                ContrastReply,
                lambda reply: reading.let_in(_drafts(reply, contrast)),
            )
        except ReplyError as error:
            raise reading.broken(error) from error
        reading.spent += asked.cost
        return reading.written()

    def _shots(self) -> list[Section]:
        found = []
        for at, example in enumerate(self._examples, 1):
            found.append(Section(f"e{at}", f"example {at}: another question", example.question, f"e{at}"))
            criteria = render_rubric(example.rubric)
            found.append(Section(f"r{at}", f"example {at}: criteria that served it well", criteria, f"r{at}"))
        return found


def _drafts(reply: ContrastReply, contrast: Contrast) -> list[Draft]:
    drafts = [
        Draft(
            Proposed(demand.rule, kind="hard"),
            "" if _demanded(demand.quote, contrast.state) else "the demand it quotes stands nowhere",
        )
        for demand in reply.demands
    ]
    return drafts + [
        Draft(Proposed(principle.rule, kind="principle"), _unfounded(principle, reply, contrast))
        for principle in reply.principles
    ]


def _unfounded(principle: Principle, reply: ContrastReply, contrast: Contrast) -> str:
    """Why a principle rests on nothing; empty where it does."""
    if not 1 <= principle.difference <= len(reply.differences):
        return "it rests on no difference that was listed"
    if not _seen(reply.differences[principle.difference - 1], contrast):
        return "it rests on a difference whose quotes stand nowhere"
    return ""


def _demanded(quote: str, state: State) -> bool:
    return any(find_all(quote, text) for text in (state.question, *state.given))


def _seen(difference: Difference, contrast: Contrast) -> bool:
    """Whether a difference quotes at least one candidate, and none wrongly."""
    quoted = [
        bool(find_all(quote, side.text))
        for quote, side in zip((difference.quote_x, difference.quote_y), contrast.sides, strict=True)
        if quote.strip()
    ]
    same = difference.quote_x.split() == difference.quote_y.split()
    return bool(quoted) and all(quoted) and not same
