"""Whether observed texts state a claim: what code can say, and what a judge is asked.

Code confirms a claim that stands there word for word, and refutes one with a number that stands
nowhere in them: a text that lacks a number of the claim does not state it in full. On the dev set of
WiCE that refutes 63 of 349 claims, of which people call 61 not or not fully supported. Everything
else is open: names have too many forms, and that all numbers are there proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coreact.judge.grounding.inquiry import Inquiry, batches, evidence, worded
from coreact.judge.grounding.sources import Passage, message_id
from coreact.judge.grounding.values import Held, numbers
from coreact.judge.grounding.verbatim import stated
from coreact.judge.records import Evidence, Verdict
from coreact.rubric import Action, Criterion, Observation, State, Step
from coreact.rubric.words import words

_ASKED = "The observations state all of this, not only something like it:"


class Support:
    """Support for statements by texts of one trajectory.

    Args:
        state: the trajectory.
    """

    def __init__(self, state: State) -> None:
        self.texts = {
            message_id(step, index): step.observation.text
            for index, step in enumerate(state.steps)
            if step.observation is not None
        }
        """The texts of all observations by message id."""
        self._state = state
        self._held: dict[tuple[Passage, ...], Held] = {}
        self._excused = Held((state.question, *state.given, *_computed(state)))

    def weigh(self, statement: str, passages: tuple[Passage, ...], criterion: str) -> Verdict | None:
        """The verdict of code, or None where a judge must tell.

        Args:
            statement: what should be stated by the passages.
            passages: what it rests on.
            criterion: id for the verdict.
        """
        if not passages:
            reason = "nothing that was observed stands behind it"
            return Verdict(criterion=criterion, reason=reason, status="unmet")
        if passages not in self._held:
            self._held[passages] = Held(passage.text for passage in passages)
        held = self._held[passages]
        # Whether its words stand there at all is quick to see; where they do is asked of few texts.
        if all(map(held.word, words(statement))):
            for passage in passages:
                found = self._verbatim(statement, passage)
                if found is not None:
                    reason = "it stands there word for word"
                    return Verdict(criterion=criterion, reason=reason, status="met", evidence=(found,))
        missing = [
            number.text
            for number in numbers(statement)
            # Numbers of the task, and those that the agent computed, need no source.
            if not held.number(number) and not self._excused.number(number)
        ]
        if missing:
            reason = f"{', '.join(dict.fromkeys(missing))} stands nowhere in what it rests on"
            return Verdict(criterion=criterion, reason=reason, status="unmet")
        return None

    def _verbatim(self, statement: str, passage: Passage) -> Evidence | None:
        span = stated(statement, passage.text) if passage.pure else None
        if span is None:
            return None
        start, end = passage.start + span.start, passage.start + span.end
        return evidence(passage.message_id, self.texts[passage.message_id], start, end)

    def inquiries(
        self, statements: Mapping[str, str], passages: tuple[Passage, ...], answer: str
    ) -> list[Inquiry]:
        """What to ask a judge about statements that code left open.

        The judge sees the question, the answer, and of the trajectory only these passages.

        Args:
            statements: by criterion id.
            passages: what they rest on.
            answer: the answer that they come from.
        """
        state = excerpted(self._state, passages)
        criteria = [
            Criterion(id=key, text=worded(_ASKED, statement), kind="fact")
            for key, statement in statements.items()
        ]
        return [Inquiry(tuple(some), Action(answer=answer), state) for some in batches(criteria)]

    def shown(self, state: State) -> dict[str, str]:
        """The whole texts of the messages that an excerpted state shows a part of."""
        shown = (step.observation.id for step in state.steps if step.observation is not None)
        return {name: self.texts[name] for name in shown}


def _computed(state: State) -> list[str]:
    return [
        step.observation.text
        for step in state.steps
        if step.succeeded
        and step.observation is not None
        and (tool := state.tool(step.call.name)) is not None
        and tool.role == "compute"
    ]


def excerpted(state: State, passages: Sequence[Passage]) -> State:
    """A state with the question and, as observations under their own ids, these passages only."""
    steps = [
        Step(
            call=state.steps[passage.step].call,
            observation=Observation(text=passage.text, id=passage.message_id),
        )
        for passage in passages
    ]
    return State.start(state.question).after(*steps)
