"""Which later judgements stand: only a rightful correction takes one away."""

from __future__ import annotations

from typing import Any

import pytest

from coreact.testing import sample_trajectory
from coreact.trace import Evaluator, JudgementRecord

WHOLE = sample_trajectory()
FIRST = WHOLE.judgements[0]  # by the model judge-b, about step 0, attempt 1, action 0
HUMAN = Evaluator(name="Ada", version="", kind="human")


def standing(*later: JudgementRecord) -> list[str]:
    return [one.id for one in WHOLE.model_copy(update={"judgements": (FIRST, *later)}).standing]


def correction(**changed: Any) -> JudgementRecord:
    return FIRST.model_copy(update={"id": "new", "supersedes": FIRST.id, **changed})


@pytest.mark.parametrize(
    ("changed", "stands"),
    [
        ({}, ["new"]),
        ({"evaluator": HUMAN}, ["new"]),
        ({"evaluator": FIRST.evaluator.model_copy(update={"version": "2"})}, ["new"]),
        ({"evaluator": FIRST.evaluator.model_copy(update={"name": "eve"})}, [FIRST.id, "new"]),
        ({"step": 1}, [FIRST.id, "new"]),
        ({"action": 1}, [FIRST.id, "new"]),
        ({"step": None, "attempt": None, "action": None}, [FIRST.id, "new"]),
        ({"supersedes": "new"}, [FIRST.id, "new"]),
        ({"supersedes": "nobody"}, [FIRST.id, "new"]),
        ({"supersedes": None}, [FIRST.id, "new"]),
    ],
)
def test_a_correction_counts_where_it_may(changed: dict[str, Any], stands: list[str]) -> None:
    assert standing(correction(**changed)) == stands


def test_a_correction_is_corrected() -> None:
    again = correction(id="again", supersedes="new", evaluator=HUMAN)
    assert standing(correction(evaluator=HUMAN), again) == ["again"]
