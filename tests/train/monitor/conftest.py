"""A question about a museum that a toy policy answers, and judges of its answers.

For each of three criteria there are several ways to answer, so that what a verifier credits and what is true
differ in known ways.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from coreact.judge import Judge, Status
from coreact.judge.ordering import judged
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.rubric.words import words
from coreact.testing import ScriptedJudge

RUBRIC = Rubric(
    criteria=(
        Criterion(id="year", text="The answer states the year in which the museum opened."),
        Criterion(id="architect", text="The answer names the architect of the museum."),
        Criterion(id="paintings", text="The answer gives the number of paintings in the collection."),
    )
)
KEYWORDS = {
    "year": {"year", "museum", "opened"},
    "architect": {"architect", "museum"},
    "paintings": {"paintings", "collection"},
}
FACTS = {"year": "1907", "architect": "Farkas", "paintings": "412"}

WAYS: Mapping[str, Mapping[str, str]] = {
    "absent": {"year": "", "architect": "", "paintings": ""},
    "dropped": {
        "year": "Museum, opened, year.",
        "architect": "Museum, architect, name.",
        "paintings": "Paintings, collection, number.",
    },
    "true": {
        "year": "The museum opened in the year 1907.",
        "architect": "The architect of the museum was Lena Farkas.",
        "paintings": "There are 412 paintings in the collection.",
    },
    "turned": {
        "year": "In the year 1907 the museum opened its doors.",
        "architect": "Lena Farkas was the architect of the museum.",
        "paintings": "The collection is one of 412 paintings.",
    },
    "waved": dict.fromkeys(FACTS, "See the attached sources."),
}


def fits_facts(criterion: Criterion, action: Action) -> Status:
    return "met" if FACTS[criterion.id].casefold() in words(action.answer or "") else "unmet"


def fits_keywords(criterion: Criterion, action: Action) -> Status:
    return "met" if KEYWORDS[criterion.id] <= set(words(action.answer or "")) else "unmet"


class Museum:
    """One context a criterion: ways to answer it, how likely they are at first, what they are worth."""

    rubric = RUBRIC

    def __init__(self, chances: Mapping[str, float]) -> None:
        self.ways = list(chances)
        self.start = [list(chances.values()) for _ in RUBRIC]
        self.answers = [[Action(answer=WAYS[way][c.id]) for way in self.ways] for c in RUBRIC]

    def worth(self, judge: Judge) -> list[list[float]]:
        """Score of each answer by a judge, in [0, 1]: `(criteria, ways)`."""
        state = State(question="When did the museum open, who built it, and what does it hold?")
        rows = zip(RUBRIC, self.answers, strict=True)
        found = (judged(Rubric(criteria=(c,)), answers, state, judge=judge) for c, answers in rows)
        return [[one.score or 0.0 for one in row] for row in found]


@pytest.fixture(scope="session")
def museum() -> type[Museum]:
    return Museum


@pytest.fixture
def honest() -> ScriptedJudge:
    return ScriptedJudge(fits_facts, name="facts")


@pytest.fixture
def gullible() -> ScriptedJudge:
    return ScriptedJudge(fits_keywords, name="keywords")
