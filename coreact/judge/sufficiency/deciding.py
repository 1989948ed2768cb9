"""The decision itself: answer, go on, or decline, with its reasons.

An answer needs a probability at or above the threshold; "cannot tell" is not enough, and neither is a draft
that its own judgement rejects. What may not be answered goes on while that makes sense, that is while there
is budget and the searches still bring something new, and is declined otherwise. Code says it all; nothing
here asks a model but through the critic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from coreact.errors import ConfigError
from coreact.judge.records import Judgement
from coreact.judge.sufficiency.critic import Critic
from coreact.judge.sufficiency.features import news
from coreact.judge.sufficiency.signals import Signals, signals
from coreact.judge.sufficiency.stopping import Threshold
from coreact.rubric import Record, State
from coreact.rubric.words import words

Kind = Literal["continue", "answer", "decline"]
"""`continue`: gather more; `answer`: give the draft; `decline`: say that no answer can be given."""


class Decision(Record):
    """What to do, and why."""

    kind: Kind
    reasons: tuple[str, ...]
    """In words that may be shown and kept; they quote nothing that was observed."""
    probability: float | None
    """That answering the draft now is right; None where the critic could not tell."""
    signals: Signals
    """What the decision looked like in single judgements."""


class Sufficiency:
    """Decides whether the evidence is enough.

    Args:
        critic: says how likely the draft is right.
        threshold: the one that was chosen for this critic, or a bare probability in [0, 1], which comes with
            no guarantee.
        patience: searches in a row without anything new after which nothing more is expected, at least 1.

    Raises:
        ConfigError: the threshold was chosen for another critic, or a setting is out of range.
    """

    def __init__(self, critic: Critic, threshold: Threshold | float, *, patience: int = 2) -> None:
        if isinstance(threshold, Threshold) and threshold.critic != critic.version:
            raise ConfigError(
                f"The threshold was chosen for the critic {threshold.critic}, not for {critic.version}.",
                remedy="Choose one for this critic with coreact.judge.sufficiency.choose.",
            )
        self._critic = critic
        self._threshold = threshold.answer if isinstance(threshold, Threshold) else threshold
        if not 0 <= self._threshold <= 1 or patience < 1:
            raise ConfigError(
                f"A threshold of {self._threshold} or a patience of {patience} is out of range.",
                remedy="Give a probability in [0, 1] and a patience of at least 1.",
            )
        self._patience = patience

    def decide(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> Decision:
        """Decide about answering `draft` now.

        Args:
            state: the trajectory so far; its budget says how many decisions are left.
            draft: the answer that would be given; empty where there is none.
            plan: sub-questions, where the agent made a plan.
            judgement: of this draft, if it was judged.
        """
        said = bool(words(draft))
        probability = self._critic.assess(state, draft, plan=plan, judgement=judgement) if said else None
        return self._decided(state, draft, judgement, probability)

    async def adecide(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> Decision:
        """The same, without blocking the event loop."""
        said = bool(words(draft))
        probability = (
            await self._critic.aassess(state, draft, plan=plan, judgement=judgement) if said else None
        )
        return self._decided(state, draft, judgement, probability)

    def _decided(
        self, state: State, draft: str, judgement: Judgement | None, probability: float | None
    ) -> Decision:
        against = self._against(draft, judgement, probability)
        read = signals(state, draft, judgement=judgement)
        if not against:
            reason = f"the draft is right with probability {probability:.2f}, at least {self._threshold:.2f}"
            return Decision(kind="answer", reasons=(reason,), probability=probability, signals=read)
        hopeless = self._hopeless(state)
        kind: Kind = "decline" if hopeless else "continue"
        return Decision(kind=kind, reasons=(*against, *hopeless), probability=probability, signals=read)

    def _against(self, draft: str, judgement: Judgement | None, probability: float | None) -> tuple[str, ...]:
        """Why the draft may not be answered; empty where it may."""
        found = []
        if not words(draft):
            found.append("there is no draft")
        elif probability is None:
            found.append("the critic cannot tell whether the draft is right")
        elif probability < self._threshold:
            found.append(
                f"the draft is right with probability {probability:.2f} only, below {self._threshold:.2f}"
            )
        if judgement is not None and judgement.passed is False:
            found.append(f"the draft's judgement leaves {len(judgement.unmet)} criteria unmet")
        return tuple(found)

    def _hopeless(self, state: State) -> tuple[str, ...]:
        """Why going on makes no sense; empty where it does."""
        found = []
        if state.budget.left == 0:
            found.append(f"the budget of {state.budget.limit} decisions is used up")
        _, barren = news(state)
        if barren >= self._patience:
            found.append(f"the last {barren} searches brought nothing new")
        return tuple(found)
