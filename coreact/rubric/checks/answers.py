"""Stopping, and what the final answer rests on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from coreact.rubric.checks.base import (
    ExecutableCheck,
    Finding,
    met,
    named,
    not_applicable,
    quoted,
    shown,
    unmet,
)
from coreact.rubric.state import Action, State
from coreact.rubric.words import normalized, urls, words


class Stops(ExecutableCheck):
    """The action ends the run with a non-empty answer."""

    kind: Literal["stops"] = "stops"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is not None:
            return unmet(f"the action calls {named(action.call.name)} instead of answering")
        if not (action.answer or "").strip():
            return unmet("the answer is empty")
        return met("the action answers")

    def explain(self) -> str:
        return "Give the final answer now."


class DoesNotStop(ExecutableCheck):
    """The action is a tool call, not the final answer."""

    kind: Literal["does_not_stop"] = "does_not_stop"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is None:
            return unmet("the action answers")
        return met(f"the action calls {named(action.call.name)}")

    def explain(self) -> str:
        return "Do not answer yet; call a tool."


class AnswerCitesObserved(ExecutableCheck):
    """Every address that the answer cites was observed. Not applicable to an answer that cites none."""

    kind: Literal["answer_cites_observed"] = "answer_cites_observed"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.answer is None:
            return not_applicable("the action is no answer")
        cited = urls(action.answer)
        if not cited:
            return not_applicable("the answer cites no address")
        strange = [address for address in cited if address not in state.urls_seen]
        if strange:
            return unmet(f"the answer cites {quoted(strange[0])}, which was never observed")
        return met(f"all {len(cited)} cited addresses were observed")

    def explain(self) -> str:
        return "Cite only addresses that were observed."


class AnswerObserved(ExecutableCheck):
    """Something that the answer adds to the question stands in an observation.

    Looks at the answer's words that the question does not hold. Met where one of them was
    observed; not applicable where there is nothing to look for (a choice among the question's own
    names, yes or no); otherwise the answer comes out of thin air.
    """

    kind: Literal["answer_observed"] = "answer_observed"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.answer is None:
            return not_applicable("the action is no answer")
        asked = set(words(state.question))
        added = [word for word in dict.fromkeys(words(action.answer)) if word not in asked]
        # Short words stand in every text; they count only where the answer has no others.
        telling = [word for word in added if len(word) > 3 or any(char.isdigit() for char in word)]
        for step in reversed(state.steps):
            if not step.succeeded or step.observation is None:
                continue
            observed = set(step.observation.folded.split())  # an answer may have as many words as it
            for word in telling or added:
                if word in observed:
                    return met(f"{shown(word)} stands in an observation")
        if not telling:
            return not_applicable("the answer adds nothing that could be looked up")
        return unmet(f"{shown(' '.join(telling))} stands in no observation")

    def explain(self) -> str:
        return "Answer with what an observation says."


class QuoteInObservation(ExecutableCheck):
    """A quote stands verbatim (white space and Unicode form aside) in a named or in any observation."""

    kind: Literal["quote_in_observation"] = "quote_in_observation"
    quote: str = Field(min_length=1)
    observation: str = ""
    """Message id or call id of the observation; empty: any."""

    @field_validator("quote")
    @classmethod
    def _says_something(cls, quote: str) -> str:
        if not quote.strip():
            raise ValueError("a quote needs a text")
        return quote

    def evaluate(self, action: Action, state: State) -> Finding:
        needle = _even(self.quote)
        named = [
            step.observation.text
            for step in state.steps
            if step.observation is not None and self.observation in ("", step.observation.id, step.call.id)
        ]
        if self.observation and not named:
            return Finding(reason=f"there is no observation {shown(self.observation)}", status="unknown")
        if any(needle in _even(text) for text in named):
            return met(f"{shown(self.quote)} stands in an observation")
        return unmet(f"{shown(self.quote)} stands in no such observation")

    def explain(self) -> str:
        return f"Rest on an observation that says {shown(self.quote)}."


def _even(text: str) -> str:
    return " ".join(normalized(text, "NFC").split())
