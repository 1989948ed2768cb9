"""Self-consistency: answers are compared in normal form, empty ones have no vote, ties go to the earliest."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from coreact.refine.baselines import SelfConsistency


def vote(answers: Any, **options: Any) -> SelfConsistency:
    def build(tool_calls: int, sample: int) -> Any:
        def agent(given: dict[str, Any]) -> dict[str, Any]:
            if isinstance(answers[sample], BaseException):
                raise answers[sample]
            return {"messages": [*given["messages"], AIMessage(answers[sample])]}

        return RunnableLambda(agent)

    return SelfConsistency(build, len(answers), tool_calls=len(answers), **options)


@pytest.mark.parametrize(
    ("answers", "chosen", "votes"),
    [
        (["Peru", "the CFA franc.", "CFA Franc"], 1, [1, 2, 2]),
        (["a b", "c d", "c d", "a b"], 0, [2, 2, 2, 2]),
        (["", "", "x"], 2, [0, 0, 1]),
        (["", ""], 0, [0, 0]),
        ([ValueError("no"), "x", "y"], 1, [None, 1, 1]),
        (["Peru", "Chile", "Peru", "Chile", "Chile"], 1, [2, 3, 2, 3, 3]),
        (["Québec", "x", "quebec"], 0, [2, 1, 2]),
    ],
)
def test_the_most_frequent_answer_wins(run: Any, answers: Any, chosen: int, votes: Any) -> None:
    out = run.ask(vote(answers))
    record = out["baseline"]
    assert (record.chosen, [one.votes for one in record.tried]) == (chosen, votes)
    assert out["messages"][-1].text == answers[chosen]


def test_a_key_takes_the_answer_out_of_a_text(run: Any) -> None:
    answers = ["I think so. Answer: Lima", "Surely. Answer: Quito", "Hm. Answer: Quito"]
    assert run.ask(vote(answers))["baseline"].chosen == 0
    out = run.ask(vote(answers, key=lambda text: text.rpartition("Answer: ")[2]))
    assert (out["baseline"].chosen, out["baseline"].why) == (1, "2 of 3 votes")


def test_thoughts_have_no_vote(run: Any) -> None:
    answers = ["<think>Rome?</think>Rome", "<think>a</think>Paris", "b</think> Paris"]

    def build(tool_calls: int, sample: int) -> Any:
        return RunnableLambda(lambda given: {"messages": [*given["messages"], AIMessage(answers[sample])]})

    out = run.ask(SelfConsistency(build, n=3, tool_calls=3))
    assert out["baseline"].why == "2 of 3 votes"
    assert out["messages"][-1].text == answers[1]
