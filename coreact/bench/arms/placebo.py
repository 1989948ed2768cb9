"""Guidance that says nothing: the control for everything about guidance but its content.

A guided arm reads more tokens than a plain one, and more words behind the question may change a model by
themselves. The placebo has as many criteria as the heuristic's rubric, of the same lengths and at the same
place, and none that tells anything or can be broken.
"""

from __future__ import annotations

from coreact.generate import HeuristicGenerator, Written
from coreact.rubric import Criterion, State

_FILLER = (
    "The next step is the step that comes after the last one, and it is taken when it is time to take it, "
    "as each of the steps before it was taken when it was time for that one. "
)


class PlaceboGenerator(HeuristicGenerator):
    """The heuristic's rubrics with every text replaced by words without content, and no check."""

    id = "placebo.1"

    def write(self, state: State) -> Written:
        """Write the rubric."""
        written = super().write(state)
        criteria = tuple(_emptied(one) for one in written.rubric)
        return Written(written.rubric.model_copy(update={"criteria": criteria}), written.cost)


def _emptied(criterion: Criterion) -> Criterion:
    """As many words as the criterion's text has."""
    wanted = len(criterion.text.split())
    words = (_FILLER * (wanted // len(_FILLER.split()) + 1)).split()[:wanted]
    return criterion.model_copy(update={"text": " ".join(words), "check": None, "veto": False})
