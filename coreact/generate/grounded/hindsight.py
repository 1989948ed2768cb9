"""Criteria written with hindsight: the writer knows how the run went on, the agent must not.

From a finished run that is cut at one decision. The writer may read what came afterwards, the right answer
and what a judge found wrong, and says from it what a good action would have been. Then code looks at every
criterion: one that holds the answer, or a name or number that only came later, is hidden from the agent
(`judge_only`) and a remark says so; a grader may still use it. What an agent is told after a failed attempt
(`retry_guidance`) is made of the unmet criteria that it may see, and of nothing else.

Sources: CLR-voyance (visible past, future for the oracle), Rubric-Grounded RL (what the policy never sees),
HeRL (arXiv 2603.20046; guidance from unmet rubrics). Different: the split is made by `leak`, in code; and no
satisfied criterion and no judge's words stand in the guidance, since both could carry what is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict

from coreact.generate.admission import Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.generate.entities import entities
from coreact.generate.generator import NoRubricError, Written
from coreact.generate.grounded.leak import LeakDetector
from coreact.generate.prompt import template, trajectory
from coreact.judge.asking import Asking, aserve, record_of, serve
from coreact.judge.failure import Throttle
from coreact.judge.records import Cost, Judgement
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, excerpt, fenced
from coreact.rubric.canonical import digest
from coreact.rubric.checks import ArgumentContains, Stops, ToolIs
from coreact.rubric.remarks import Remark
from coreact.rubric.rubric import Criterion, Rubric
from coreact.rubric.state import Action, State, Step
from coreact.rubric.words import words

_LATER_CHARS = 800  # of one later observation
_TERMS = 3
_WORD = 4  # letters from which on a word of a query carries meaning
_REFERENCE_CHARS = 160


class HindsightCriterion(BaseModel):
    """A criterion of one past action."""

    model_config = ConfigDict(extra="forbid")
    text: str
    weight: float


class HindsightCriteria(BaseModel):
    """The criteria of one past action, most important first."""

    model_config = ConfigDict(extra="forbid")
    criteria: list[HindsightCriterion]


class HindsightWriter:
    """Writes the rubric of a past decision from a finished run.

    Args:
        model: the chat model that writes; None: by code alone, from the first later step that led on.
        output, attempts, timeout, throttle: see `StructuredModel`.
    """

    def __init__(
        self,
        model: BaseChatModel | None = None,
        *,
        output: Output = "auto",
        attempts: int = 3,
        timeout: float | None = 120.0,
        throttle: Throttle | None = None,
    ) -> None:
        self._asker = None
        self.id = "hindsight.1"
        if model is not None:
            self._asker = StructuredModel(
                model, output=output, attempts=attempts, timeout=timeout, throttle=throttle
            )
            version = digest([template("hindsight").version, UNTRUSTED, self._asker.identity])
            self.id = f"hindsight:{self._asker.name}@{version.rsplit(':', 1)[-1][:8]}"

    @property
    def model_name(self) -> str | None:
        """The model's name, as its provider knows it; None where code writes."""
        return self._asker.name if self._asker is not None else None

    def write(
        self,
        state: State,
        *,
        future: Sequence[Step] = (),
        answer: str = "",
        gold: Sequence[str] = (),
        judgements: Sequence[Judgement] = (),
    ) -> Written:
        """Write the rubric for the next action in `state`, blocking.

        Args:
            state: what was known when the action was taken.
            future: the steps that were taken from then on.
            answer: the answer that the run gave; empty if none.
            gold: the accepted answers with their aliases.
            judgements: what was found of the actions from then on.

        Returns:
            A rubric whose visible texts hold no accepted answer and no name of the future. It may be that
            all of them are hidden: then it guides nothing and grades only.

        Raises:
            NoRubricError: the model gave no usable reply, or nothing came afterwards to learn from.
        """
        after = _After(tuple(future), answer, tuple(gold), judgements)
        return serve(self._writing(state, after))

    async def awrite(
        self,
        state: State,
        *,
        future: Sequence[Step] = (),
        answer: str = "",
        gold: Sequence[str] = (),
        judgements: Sequence[Judgement] = (),
    ) -> Written:
        """The same, without blocking the event loop."""
        after = _After(tuple(future), answer, tuple(gold), judgements)
        return await aserve(self._writing(state, after))

    def _writing(self, state: State, after: _After) -> Asking[Written]:
        reading = _Reading(self.id, state, after)
        if self._asker is None:
            reading.let_in(_by_code(state, after))
            if not reading.criteria:
                raise self._failure("nothing came afterwards that led on")
            return Written(Rubric(criteria=reading.criteria), Cost(), tuple(reading.remarks))
        try:
            asked: Asked[Any] = yield record_of(
                self._asker,
                instructions=f"{template('hindsight').text}\n\n{UNTRUSTED}",
                material=_material(state, after),
                reply=HindsightCriteria,
                check=reading.read,
            )
        except ReplyError as error:
            raise self._failure(error.what, error, reading.remarks) from error
        return Written(Rubric(criteria=reading.criteria), asked.cost, tuple(reading.remarks))

    def _failure(
        self, what: str, error: ReplyError | None = None, remarks: Sequence[Remark] = ()
    ) -> NoRubricError:
        return NoRubricError(
            f"No rubric from {self.id}: {what}",
            generator=self.id,
            cause="unsupported" if error is None else error.cause,
            cost=None if error is None else error.cost,
            remarks=remarks,
        )


class RetryGuidance(NamedTuple):
    """What an agent is told before it tries again, and which criteria that names."""

    text: str
    """One criterion a line; empty where it may be told nothing."""
    criteria: tuple[str, ...]
    """Ids of the criteria named, in the order of the rubric."""


def retry_guidance(rubric: Rubric, judgement: Judgement) -> RetryGuidance:
    """What a failed attempt must change: the unmet and partly met criteria that the agent may see.

    Nothing else goes in: no met criterion, no `judge_only` text, and no reason of a judge, who may have
    seen what the agent must not.

    Args:
        rubric: the rubric that was judged by.
        judgement: the verdicts on the failed attempt.
    """
    broken = {verdict.criterion for verdict in judgement.unmet}
    named = [one for one in rubric if one.id in broken and one.visibility == "policy"]
    lines = [f"- {one.text}" if one.polarity == "require" else f"- Avoid: {one.text}" for one in named]
    return RetryGuidance("\n".join(lines), tuple(one.id for one in named))


class _After(NamedTuple):
    """What came after the decision."""

    steps: tuple[Step, ...]
    answer: str
    gold: tuple[str, ...]
    judgements: Sequence[Judgement]

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of it, for the look-out for leaks."""
        taken = [part for step in self.steps for part in step.call.texts]
        seen = [step.observation.text for step in self.steps if step.observation is not None]
        return (*taken, *seen, self.answer)


class _Reading:
    """Criteria being taken in, each visible or hidden as code decides."""

    def __init__(self, source: str, state: State, after: _After) -> None:
        self.criteria: tuple[Criterion, ...] = ()
        self.remarks: list[Remark] = []
        self._source = source
        self._state = state
        self._detector = LeakDetector(answers=after.gold, visible=state, future=after.texts)

    def read(self, reply: HindsightCriteria) -> str | None:
        """Take in a reply; says what is wrong with it, or None."""
        self.let_in([Proposed(one.text, one.weight) for one in reply.criteria])
        return None if self.criteria else "none of its criteria can be used"

    def let_in(self, proposals: Sequence[Proposed]) -> None:
        """Admit criteria, and hide those that give something away."""
        found = admitted(proposals, source=self._source, state=self._state)
        self.remarks += found.remarks
        self.criteria = tuple(self._safe(compiled(one, self._state)) for one in found.criteria)

    def _safe(self, criterion: Criterion) -> Criterion:
        if criterion.visibility == "judge_only":
            return criterion
        # With what the check says of itself, since the agent is told that too.
        said = criterion.text if criterion.check is None else f"{criterion.text}\n{criterion.check.explain()}"
        found = self._detector.leaks(said)
        if not found:
            return criterion
        what = "holds the answer" if any(leak.kind == "answer" for leak in found) else "names what came later"
        self.remarks.append(
            Remark.about(criterion.text, "repaired", f"hidden from the agent, since it {what}", "leaking")
        )
        return criterion.model_copy(update={"visibility": "judge_only"})


def _material(state: State, after: _After) -> str:
    wanted = frozenset(words(" ".join((state.question, *after.gold))))
    shown = list(trajectory(state))
    for number, step in enumerate(after.steps, start=1):
        shown.append(Section(f"x{number}", f"later, call {number}", str(Action(call=step.call)), ""))
        if step.observation is not None:
            text = excerpt(step.observation.text, _LATER_CHARS, wanted)
            shown.append(Section(f"y{number}", f"later, what call {number} gave", text, ""))
    if after.answer:
        shown.append(Section("a", "later, the answer that was given", after.answer, ""))
    if after.gold:
        shown.append(Section("r", "the right answer", "\n".join(after.gold), ""))
    wrong = [verdict.reason for one in after.judgements for verdict in one.unmet if verdict.reason]
    if wrong:
        shown.append(Section("w", "what a judge found wrong later", "\n".join(wrong), ""))
    return (
        f"{fenced(shown)}\n\nWrite the criteria for the action that followed on step {len(state.steps)} now."
    )


def _by_code(state: State, after: _After) -> list[Proposed]:
    """What the first later step that led on has to say about a good action, and the answer for graders."""
    found = []
    led_on = _led_on(after)
    if led_on is not None:
        found += _like(led_on, state)
    elif not after.steps and after.answer:
        found.append(Proposed("Answer now.", check=Stops()))
    for gold in after.gold[:1]:
        text = f"The action brings up “{gold[:_REFERENCE_CHARS]}”, or answers with it."
        found.append(Proposed(text, kind="fact", visibility="judge_only"))
    return found


def _led_on(after: _After) -> Step | None:
    """The first later step that brought up the answer or what a later call names, else one that worked."""
    worked = [step for step in after.steps if step.succeeded]
    for at, step in enumerate(worked):
        used = {name for later in worked[at + 1 :] for text in later.call.texts for name in entities(text)}
        detector = LeakDetector(answers=[*after.gold, *used], visible=" ".join(step.call.texts))
        if step.observation is not None and detector.leaks(step.observation.text):
            return step
    return worked[0] if worked else None


def _like(step: Step, state: State) -> list[Proposed]:
    tool = state.tool(step.call.name)
    if tool is None:
        return []
    found = [Proposed(f"Use `{tool.name}`.", 0.4, check=ToolIs(tools=(tool.name,)))]
    asked = step.call.arguments.get(tool.text_argument or "")
    if isinstance(asked, str):
        terms = [word for word in dict.fromkeys(words(asked)) if len(word) >= _WORD and state.knows(word)]
        terms = sorted(terms, key=len, reverse=True)[:_TERMS]  # long words say most
        if terms:
            named = ", ".join(f'"{term}"' for term in terms)
            check = ArgumentContains(argument=str(tool.text_argument), terms=tuple(terms))
            found.append(Proposed(f"The `{tool.text_argument}` contains one of {named}.", 0.6, check=check))
    return found
