"""A judge that accepts most wrong answers shows where it does, and loses to the vote."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from coreact.refine.baselines import BestOfN, Judged, RubricScorer, SelfConsistency, acceptance
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedJudge


def test_a_lenient_self_judge_is_seen_and_loses_to_the_vote() -> None:
    """P38. 40 hard questions, 8 samples each: right 3 times, wrong 5 times with different answers.

    The judge has no eye for what is right: it accepts nearly everything wrong, and one right answer in ten.
    """
    draw = random.Random(11)
    rubric = Rubric(criteria=(Criterion(id="right", text="It is right."),), scope="answer")
    cases, hits = [], {"self_rerank": 0, "vote": 0}
    for number in range(40):
        answers = ["right"] * 3 + [f"wrong {at} of {number}" for at in range(5)]
        draw.shuffle(answers)
        accepts = {one: draw.random() < (0.1 if one == "right" else 0.9) for one in answers}

        def build(tool_calls: int, sample: int, answers: Any = answers) -> Any:
            return RunnableLambda(
                lambda given: {"messages": [*given["messages"], AIMessage(answers[sample])]}
            )

        judge = ScriptedJudge(lambda _, action, accepts=accepts: "met" if accepts[action.answer] else "unmet")  # type: ignore[misc]
        asked = {"messages": [("user", "q")]}
        reranked = BestOfN(build, 8, scorer=RubricScorer(rubric, judge), tool_calls=8).invoke(asked)
        voted = SelfConsistency(build, 8, tool_calls=8).invoke(asked)
        hits["self_rerank"] += reranked["messages"][-1].text == "right"
        hits["vote"] += voted["messages"][-1].text == "right"
        cases += [
            Judged(bucket="hard", passed=one.passed, right=one.answer == "right")
            for one in reranked["baseline"].tried
        ]
    hard = acceptance(cases)["hard"]
    assert hard.total == 320
    assert hard.precision is not None
    assert hard.precision < 0.1 < 3 / 8, "worse than taking any sample"
    assert hits["vote"] == 40
    assert hits["self_rerank"] < 10


def test_shares_by_hand() -> None:
    rows = [("a", True, True), ("a", True, False), ("a", False, True), ("a", None, True), ("b", False, False)]
    found = acceptance(Judged(bucket=b, passed=p, right=r) for b, p, r in rows)
    assert list(found) == ["a", "b"]
    assert (found["a"].precision, found["a"].recall, found["a"].unknown) == (0.5, 0.5, 1)
    assert (found["a"].total, found["a"].accepted, found["a"].right) == (4, 2, 2)
    assert (found["b"].precision, found["b"].recall) == (None, None), "no share of nothing"


rows = st.lists(
    st.builds(
        Judged, bucket=st.sampled_from("ab"), passed=st.sampled_from([True, False, None]), right=st.booleans()
    )
)


@given(rows)
def test_every_case_is_counted_once(cases: list[Judged]) -> None:
    found = acceptance(cases)
    assert sum(one.total for one in found.values()) == len(cases)
    for one in found.values():
        assert 0 <= one.accepted <= one.total - one.unknown
        assert one.precision is None or 0 <= one.precision <= 1
        assert one.recall is None or 0 <= one.recall <= 1
