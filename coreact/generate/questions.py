"""Self-questions: ask for the background that the next step depends on, and guide by the answers.

A model writes a few questions, a retriever or a model answers them, and each answer becomes one more
criterion of kind `fact` beside those of another generator. Answers come from outside, so they are put in
quotes on one line, shortened, and dropped where they try to instruct. They advise and hardly weigh: no code
decides whether something was taken into account, so an answer must not fail a step. Where asking fails the
other generator's rubric stands as it is, and a remark says so.

Source: Introspective Growth (self-questioning; the model asks and answers its own background questions, from
papers where there are any). Different: answers guide one step and stand in its record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict

from coreact.errors import ConfigError
from coreact.generate.admission import Admitted, Proposed, admitted
from coreact.generate.generator import RubricGenerator, Written
from coreact.generate.prompt import template, trajectory
from coreact.judge.asking import Asking, Request, aserve, record_of, serve, work
from coreact.judge.failure import Throttle
from coreact.judge.panel.family import model_names
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Remark
from coreact.rubric.rubric import Criterion, Rubric
from coreact.rubric.state import State
from coreact.rubric.words import fold, words

MOST = 3
"""Most questions of one step."""

_WEIGHT = 0.01  # of all other criteria together
_ANSWER_CHARS = 180
_ANSWER_WORDS = 30
_QUESTION_CHARS = 200
_UNQUOTED = re.compile(r"[\"“”„«»`<>\[\]{}]")


class Questions(BaseModel):
    """Background questions, the most important first."""

    model_config = ConfigDict(extra="forbid")
    questions: list[str]


class Reply(BaseModel):
    """The answer to one question."""

    model_config = ConfigDict(extra="forbid")
    number: int
    answer: str | None


class Replies(BaseModel):
    """One entry for each question."""

    model_config = ConfigDict(extra="forbid")
    answers: list[Reply]


class QuestionGenerator:
    """Adds answers to self-questions to the rubric of another generator.

    Safe to share between runs, threads and event loops as far as `inner` is.

    Args:
        model: writes the questions, and answers them where `answer` is None.
        answer: answers one question, such as a search in a corpus; an empty text says that it cannot. It may
            block: the async twin runs it in a thread.
        inner: writes the criteria that the answers are added to.
        most: questions of one step, 1 to 3.
        output, attempts, timeout, throttle: see `StructuredModel`.

    Raises:
        ConfigError: `most` is out of range.
    """

    def __init__(
        self,
        model: BaseChatModel,
        answer: Callable[[str], str] | None = None,
        *,
        inner: RubricGenerator,
        most: int = MOST,
        output: Output = "auto",
        attempts: int = 3,
        timeout: float | None = 120.0,
        throttle: Throttle | None = None,
    ) -> None:
        if not 1 <= most <= MOST:
            raise ConfigError(f"{most} self-questions for one step.", remedy=f"Give 1 to {MOST}.")
        self._asker = StructuredModel(
            model, output=output, attempts=attempts, timeout=timeout, throttle=throttle
        )
        self._answer = answer
        self._inner = inner
        self._most = most
        prompts = [template("self_questions").version, template("self_answers").version, UNTRUSTED]
        version = digest([prompts, self._asker.identity, most, answer is not None])
        self._source = f"questions:{self._asker.name}@{version.rsplit(':', 1)[-1][:8]}"
        self.id = f"{self._source}+{inner.id}"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that ask and that write: a judge should be of none of their families."""
        return tuple(dict.fromkeys((self._asker.name, *model_names(self._inner))))

    def write(self, state: State) -> Written:
        """Write the inner rubric with the answers added, blocking.

        Raises:
            GenerationError: the inner generator failed.
        """
        written = self._inner.write(state)  # first: where it fails no question is worth its price
        return _joined(written, serve(self._inquiring(state)))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        written = await self._inner.awrite(state)
        return _joined(written, await aserve(self._inquiring(state)))

    def _inquiring(self, state: State) -> Asking[_Inquired]:
        sections = trajectory(state)
        cost = Cost()
        try:
            asked: Asked[Questions] = yield record_of(
                self._asker,
                instructions=f"{template('self_questions').text}\n\n{UNTRUSTED}",
                material=f"{fenced(sections)}\n\nWrite at most {self._most} questions now.",
                reply=Questions,
                check=_none_missing,
            )
            cost += asked.cost
            questions = _worth_asking(asked.value.questions, state)[: self._most]
            answers = yield from self._answering(questions)
        except ReplyError as error:
            reason = f"no self-questions: {error.what}"
            return _Inquired((), cost + error.cost, (Remark(deed="found", reason=reason),))
        criteria, remarks = list[Criterion](), list(answers.remarks)
        for question, answer in answers.found:
            let_in = self._let_in(answer, state)
            remarks += let_in.remarks
            for criterion in let_in.criteria:
                criteria.append(criterion)
                reason = f"answers the self-question: {question}"
                remarks.append(Remark.about(criterion.text, "kept", reason))
        return _Inquired(tuple(criteria), cost + answers.cost, tuple(remarks))

    def _let_in(self, answer: str, state: State) -> Admitted:
        short = _shortened(answer)
        bare = admitted([Proposed(f"Background. {short}")], source=self._source, state=state)
        if not bare.criteria:  # looked at without quotes, in which it would not be seen to instruct
            return bare
        quoted = _UNQUOTED.sub("'", short)
        told = Proposed(f"Take into account what was looked up: “{quoted}”.", kind="fact")
        return admitted([told], source=self._source, state=state)

    def _answering(self, questions: Sequence[str]) -> Asking[_Answers]:
        if not questions:
            return _Answers([], Cost(), [])
        if self._answer is None:
            asked: Asked[Replies] = yield _answers_wanted(self._asker, questions)
            by_number = {one.number: one.answer or "" for one in asked.value.answers}
            return _answered([(q, by_number[n]) for n, q in enumerate(questions, start=1)], asked.cost)
        found, failed = [], []
        for question in questions:
            try:
                text = yield work(self._answer, question)
            except Exception as error:  # noqa: BLE001 - a retriever may raise anything; the step goes on
                reason = f"a self-question was not answered: {type(error).__name__}"
                failed.append(Remark.about(question, "found", reason))
                continue
            found.append((question, str(text)))
        done = _answered(found, Cost())
        return done._replace(remarks=failed + done.remarks)


class _Inquired(NamedTuple):
    criteria: tuple[Criterion, ...]
    cost: Cost
    remarks: tuple[Remark, ...]


class _Answers(NamedTuple):
    found: list[tuple[str, str]]
    """Question and answer; answers that say nothing are left out."""
    cost: Cost
    remarks: list[Remark]


def _answered(found: Sequence[tuple[str, str]], cost: Cost) -> _Answers:
    empty = [
        Remark.about(question, "found", "nobody knows the answer to this self-question")
        for question, answer in found
        if not words(answer)
    ]
    return _Answers([one for one in found if words(one[1])], cost, empty)


def _answers_wanted(asker: StructuredModel, questions: Sequence[str]) -> Request:
    shown = [Section(f"q{n}", f"question {n}", text, "") for n, text in enumerate(questions, start=1)]

    def problem(reply: Replies) -> str | None:
        if sorted(one.number for one in reply.answers) == list(range(1, len(questions) + 1)):
            return None
        return f"it must have exactly one entry for each question from 1 to {len(questions)}"

    return record_of(
        asker,
        instructions=f"{template('self_answers').text}\n\n{UNTRUSTED}",
        material=f"{fenced(shown)}\n\nAnswer the questions now.",
        reply=Replies,
        check=problem,
    )


def _none_missing(reply: Questions) -> str | None:
    return None if any(words(question) for question in reply.questions) else "it holds no question"


def _worth_asking(questions: Sequence[str], state: State) -> list[str]:
    """Without repeats, what is too long, and the agent's own question."""
    fresh = {fold(text): " ".join(text.split()) for text in questions if words(text)}
    fresh.pop(fold(state.question), None)
    return [text for text in fresh.values() if len(text) <= _QUESTION_CHARS]


def _shortened(answer: str) -> str:
    said = " ".join(answer.split()).rstrip(" ,;:.")
    short = " ".join(said.split()[:_ANSWER_WORDS])[:_ANSWER_CHARS].rstrip(" ,;:.")
    return short if short == said else f"{short}…"


def _joined(written: Written, inquired: _Inquired) -> Written:
    rubric = written.rubric
    taken = {criterion.id for criterion in rubric}
    weight = _WEIGHT * sum(criterion.weight for criterion in rubric)
    fresh = (f"q{n}" for n in range(1, len(taken) + MOST + 1) if f"q{n}" not in taken)
    added = [
        criterion.model_copy(update={"id": criterion_id, "weight": weight})
        for criterion_id, criterion in zip(fresh, inquired.criteria, strict=False)
    ]
    joined = Rubric(criteria=(*rubric, *added), scope=rubric.scope, threshold=rubric.threshold)
    return Written(joined, written.cost + inquired.cost, (*written.remarks, *inquired.remarks))
